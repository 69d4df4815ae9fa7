import type { Logger } from "../../../runtime/definition.js";

export interface Recording {
  readonly logger: Logger;
  readonly lines: { readonly level: string; readonly message: string; readonly fields: object }[];
}

/** Keeps what is logged, for tests that must see it (or see that nothing was). */
export function recordingLogger(): Recording {
  const lines: Recording["lines"] = [];
  const at = (level: string) => (fields: object, message: string) => {
    lines.push({ level, message, fields });
  };
  const logger: Logger = {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: () => logger,
  };
  return { logger, lines };
}
