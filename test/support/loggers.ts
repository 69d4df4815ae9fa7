import type { Logger } from "../../runtime/definition/hook-definition.js";

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: object;
  readonly message: string;
}

export interface RecordingLogger extends Logger {
  readonly lines: LogLine[];
}

/** Prints nothing. */
export const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

/** Prints nothing and keeps every line; children write to the same lines. */
export function recordingLogger(lines: LogLine[] = []): RecordingLogger {
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
