import type { Span } from "../source/text.js";
import type { Diagnostic } from "./diagnostic.js";

/** `# mesh-ignore CODE: why`, at the end of a line or above it. */
export interface Ignore {
  readonly code: string;
  readonly reason: string;
  /** Of the code in the comment. */
  readonly span: Span;
  /** The line whose warnings it silences. */
  readonly line: number;
}

/** A warning that mesh.yaml itself says is right as it is. */
export interface IgnoredDiagnostic extends Diagnostic {
  /** Why, in the words of the file. */
  readonly ignored: string;
}

export interface Silenced {
  readonly left: readonly Diagnostic[];
  readonly ignored: readonly IgnoredDiagnostic[];
  /** Those that silenced something. */
  readonly used: ReadonlySet<Ignore>;
}

/** Takes out the warnings that are ignored where they stand. An error never is. */
export function silence(diagnostics: readonly Diagnostic[], ignores: readonly Ignore[]): Silenced {
  const left: Diagnostic[] = [];
  const ignored: IgnoredDiagnostic[] = [];
  const used = new Set<Ignore>();
  for (const diagnostic of diagnostics) {
    const { code, severity, start } = diagnostic;
    const ignore = severity === "warning" ? findIgnore(ignores, code, start.line) : undefined;
    if (ignore === undefined) left.push(diagnostic);
    else {
      used.add(ignore);
      ignored.push({ ...diagnostic, ignored: ignore.reason });
    }
  }
  return { left, ignored, used };
}

export function findIgnore(ignores: readonly Ignore[], code: string, line: number): Ignore | undefined {
  return ignores.find((ignore) => ignore.code === code && ignore.line === line);
}
