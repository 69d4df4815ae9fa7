import type { Logger } from "../../../runtime/definition.js";

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: object;
  readonly message: string;
}

/** Prints nothing; `lines` is what would have been printed. */
export function recordingLogger(lines: LogLine[] = []): Logger & { readonly lines: readonly LogLine[] } {
  const record = (level: LogLine["level"]) => (fields: object, message: string) => {
    lines.push({ level, fields, message });
  };
  return {
    lines,
    debug: record("debug"),
    info: record("info"),
    warn: record("warn"),
    error: record("error"),
    child: () => recordingLogger(lines),
  };
}
