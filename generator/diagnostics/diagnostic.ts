import type { Position } from "../source/text.js";
import type { DiagnosticCode } from "./registry.js";

export type Severity = "error" | "warning";

/** One mistake in mesh.yaml, as data: rendered for people, printed as it is for programs. */
export interface Diagnostic {
  /** A refusal to generate has a code of its own, which is not the compiler's. */
  readonly code: DiagnosticCode | (string & {});
  readonly severity: Severity;
  readonly message: string;
  readonly hint: string | undefined;
  readonly file: string;
  readonly start: Position;
  /** Exclusive. */
  readonly end: Position;
  /** The other places that use the same missing name. */
  readonly also: readonly Position[];
  /** Text of the line that `start` is on, so that rendering needs no file. */
  readonly line: string;
}

export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((diagnostic) => diagnostic.severity === "error");
}
