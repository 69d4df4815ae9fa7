import { visible } from "../text/visible.js";

/*
 * Where log lines go. A service must neither wait nor fail to stop because nobody reads its log, so
 * no line is ever written by blocking: a reader that falls behind misses lines, and is told how many.
 */

export interface LogOutput {
  /** Takes one line of JSON with its line feed; what a terminal would obey in it is escaped. Never waits; what the buffer cannot hold is dropped and counted. */
  write(line: string): void;
  /** Lines dropped since the start. */
  dropped(): number;
  /** Resolves when all that was taken has left, or after the time: a reader that stopped is not waited for. */
  flush(withinMs: number): Promise<void>;
}

export interface LogOutputOptions {
  /** What is kept for a slow reader. */
  readonly bufferBytes?: number;
  /** The line that tells a reader, once it reads again, how many it missed. */
  readonly notice: (dropped: number) => string;
}

/** The part of a stream that is used: Node writes to a pipe without waiting, and to a file at once. */
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
  // The reader has gone (EPIPE), or the disk is full: the log is lost, the service is not.
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
      // Once full, until it is empty: a reader gets whole stretches of the log with one gap between them.
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
        // Called once everything before it is written.
        target.write("", () => {
          clearTimeout(timer);
          resolve();
        });
      }),
  };
}
