import type { Severity } from "./severity.js";

/** A kind of mistake. `P` holds what its texts mention; TypeScript checks every report against it. */
export interface Definition<P extends object> {
  readonly severity: Severity;
  readonly message: (parameters: P) => string;
  /** How to fix it; a clue of the report takes precedence. */
  readonly hint: ((parameters: P) => string) | undefined;
  /** All uses of one missing name are one mistake: one diagnostic lists their places. */
  readonly isMissingName: boolean;
}

export function error<P extends object = Record<never, never>>(
  message: (parameters: P) => string,
  hint?: (parameters: P) => string,
): Definition<P> {
  return { severity: "error", message, hint, isMissingName: false };
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
  return { ...error(message, hint), isMissingName: true };
}
