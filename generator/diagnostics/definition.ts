import type { Severity } from "./severity.js";

/** A kind of mistake. `P` holds what its texts mention; the compiler checks every report against it. */
export interface Definition<P extends object> {
  readonly severity: Severity;
  readonly message: (parameters: P) => string;
  /** The way out, used where the report knows no nearer one. */
  readonly hint: ((parameters: P) => string) | undefined;
  /** A name that is missing is one mistake, however many places use it: they are told together. */
  readonly isMissingName: boolean;
}

export function error<P extends object = Record<never, never>>(
  message: (parameters: P) => string,
  hint?: (parameters: P) => string,
): Definition<P> {
  return { severity: "error", message, hint, isMissingName: false };
}

/** What may be meant, and then surprises: said, and generated all the same. */
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
