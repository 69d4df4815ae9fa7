import { pino, stdSerializers } from "pino";
import type { Logger } from "../definition.js";

/** One JSON object per line on standard output, times in ISO 8601; errors with their stack and cause. */
export function createLogger(service: string, level: string): Logger {
  return pino({
    level,
    base: { service },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
    serializers: { error: stdSerializers.errWithCause, err: stdSerializers.errWithCause },
  });
}
