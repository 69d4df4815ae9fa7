import type { Position } from "../source/text.js";
import { plural } from "./plural.js";
import type { DiagnosticCode } from "./registry.js";
import { type Severity, severities } from "./severity.js";

/** One mistake in mesh.yaml, as data: rendered for people, printed as it is for programs. */
export interface Diagnostic {
  /** Codes of the registry; refusals to generate have codes of their own. */
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
  /** How many mistakes it stands for; one where it is not said. */
  readonly count?: number;
  /** Text of the line that `start` is on, so that rendering needs no file. */
  readonly line: string;
}

export type Counted = Pick<Diagnostic, "severity" | "count">;

/** "1 error", "2 errors and 1 warning"; undefined when there are none. */
export function countDiagnostics(diagnostics: readonly Counted[]): string | undefined {
  const counts = severities.flatMap((severity) => {
    const count = diagnostics.reduce(
      (sum, diagnostic) => sum + (diagnostic.severity === severity ? (diagnostic.count ?? 1) : 0),
      0,
    );
    return count === 0 ? [] : plural(count, severity);
  });
  return counts.length === 0 ? undefined : counts.join(" and ");
}

export function hasErrors(diagnostics: readonly Counted[]): boolean {
  return diagnostics.some((diagnostic) => diagnostic.severity === "error");
}
