import type { Annotation } from "./annotation.js";
import type { Diagnostic } from "./diagnostic.js";
import type { IgnoredDiagnostic } from "./ignore.js";

/** As a reviewer is shown it, at its place in mesh.yaml. */
export function annotate(diagnostic: Diagnostic | IgnoredDiagnostic): Annotation {
  const { severity, code, message, hint, file, start, end } = diagnostic;
  return {
    level: severity,
    rule: code,
    title: code,
    text: hint === undefined ? message : `${message}\n${hint}`,
    file,
    at: { start, end },
    ignored: "ignored" in diagnostic ? diagnostic.ignored : undefined,
  };
}
