/** What is replaced, and by what; each stands in the base once where it begins. */
export type Patch = readonly (readonly [from: string, to: string])[];

/**
 * An edit as an expert judges it: each change with class, kind, the services that it concerns, and who deploys first in how
 * many releases. `breaking-consumer field-removed: desk, mailer; consumers 2`
 */
export type Edit = readonly [title: string, patch: Patch, expected: readonly string[]];
