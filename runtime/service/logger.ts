import { pino, stdSerializers } from "pino";
import type { Logger } from "../definition/hook-definition.js";
import { createLogOutput, type LogOutput } from "./log-output.js";

/**
 * One JSON object per line on standard output, times in ISO 8601; errors with their stack and cause. `logsEvents`: a line for each
 * event too, where lines of level info are logged.
 */
export function createLogger(service: string, level: string, logsEvents = false): Logger {
  const logger = pino(
    {
      level,
      base: { service },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: stdSerializers.errWithCause, err: stdSerializers.errWithCause },
    },
    standardOutput(),
  );
  // Children of pino inherit what their parent has. Its type takes every other name for a level.
  if (logsEvents && logger.isLevelEnabled("info")) Object.assign(logger, { logsEvents: true });
  return logger as Omit<Logger, "logsEvents" | "child"> as Logger;
}

/** Time for the last lines. A reader that takes none does not delay the end. */
const LAST_LINES_MS = 500;

/** To be called before the process ends: what a slow reader has not taken yet would be lost. */
export async function flushLog(): Promise<void> {
  await output?.flush(LAST_LINES_MS);
}

let output: LogOutput | undefined;

/** One for the process: services that run in one process share the pipe. */
function standardOutput(): LogOutput {
  output ??= createLogOutput(process.stdout, { notice: missedLines });
  return output;
}

function missedLines(dropped: number): string {
  const time = new Date().toISOString();
  const msg = "log lines were dropped, since nobody read them";
  return `${JSON.stringify({ level: "warn", time, dropped, msg })}\n`;
}
