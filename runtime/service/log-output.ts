import { visible } from "../text/visible.js";

/*
 * The output of log lines. A service must neither wait nor fail to stop because nobody reads its log, so no write ever blocks: a
 * reader that falls behind misses lines, and is told how many.
 */

export interface LogOutput {
  /** Writes one line of JSON with its line feed, control characters escaped. Never waits: a line that the buffer cannot hold is dropped and counted. */
  write(line: string): void;
  /** Lines dropped since the start. */
  dropped(): number;
  /** Resolves when all lines are written, or after the time. */
  flush(withinMs: number): Promise<void>;
}

export interface LogOutputOptions {
  /** Most bytes that are kept for a slow reader. Default 1 MiB. */
  readonly bufferBytes?: number;
  /** The line that tells a reader, once it reads again, how many lines were dropped. */
  readonly notice: (dropped: number) => string;
}

/** What is used of a stream. Node writes to a pipe asynchronously, to a file synchronously. */
export type LogTarget = Pick<NodeJS.WriteStream, "write" | "on" | "writable" | "writableLength">;

const BUFFER_BYTES = 1024 * 1024;

/** The pino transport of a service: it keeps at most `bufferBytes` for a reader that is slow. */
export function createLogOutput(
  target: LogTarget,
  { bufferBytes = BUFFER_BYTES, notice }: LogOutputOptions,
): LogOutput {
  let dropped = 0;
  let untold = 0;
  let full = false;
  // The reader is gone (EPIPE), or the disk is full: the service runs on without its log.
  target.on("error", () => undefined);
  target.on("drain", () => {
    full = false;
    if (untold === 0) return;
    const missed = untold;
    untold = 0;
    target.write(notice(missed));
  });
  return {
    write(line) {
      // Once full it drops lines until it is empty: a reader gets long stretches of the log with one gap between them.
      full ||= target.writableLength > bufferBytes;
      if (full || !target.writable) {
        dropped += 1;
        untold += 1;
        return;
      }
      target.write(visible(line));
    },
    dropped: () => dropped,
    flush: (withinMs) =>
      new Promise((resolve) => {
        if (target.writableLength === 0 || !target.writable) return resolve();
        const timer = setTimeout(resolve, withinMs);
        // Calls back once everything before it is written.
        target.write("", () => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}
