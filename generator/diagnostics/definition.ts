import type { Severity } from "./severity.js";

/** A kind of mistake. `P` holds what its texts mention; TypeScript checks every report against it. */
export interface Definition<P extends object> {
  readonly severity: Severity;
  readonly message: (parameters: P) => string;
  /** How to fix it; a clue of the report takes precedence. */
  readonly hint: ((parameters: P) => string) | undefined;
  /** All uses of one missing name are one mistake: one diagnostic lists their places. */
  readonly isMissingName: boolean;
  /** What follows from a mistake of a lower rank is not told beside it. */
  readonly rank: Rank;
}

/** Text that was misread, a name that leads nowhere, and what is wrong with what was read. */
export const ranks = ["misread", "misnamed", "meaning"] as const;
export type Rank = (typeof ranks)[number];

export function error<P extends object = Record<never, never>>(
  message: (parameters: P) => string,
  hint?: (parameters: P) => string,
): Definition<P> {
  return { severity: "error", message, hint, isMissingName: false, rank: "meaning" };
}

/** Reported, and the mesh is generated all the same. */
export function warning<P extends object = Record<never, never>>(
  message: (parameters: P) => string,
  hint?: (parameters: P) => string,
): Definition<P> {
  return { ...error(message, hint), severity: "warning" };
}

export function missingName<P extends object>(
  message: (parameters: P) => string,
  hint?: (parameters: P) => string,
): Definition<P> {
  return { ...misnamed(message, hint), isMissingName: true };
}

/** A name that leads nowhere, where each of its uses is told. */
export function misnamed<P extends object>(
  message: (parameters: P) => string,
  hint?: (parameters: P) => string,
): Definition<P> {
  return { ...error(message, hint), rank: "misnamed" };
}

/** For a rule that reads: what it refuses says nothing else. */
export function misread<P extends object>(
  message: (parameters: P) => string,
  hint?: (parameters: P) => string,
): Definition<P> {
  return { ...error(message, hint), rank: "misread" };
}
