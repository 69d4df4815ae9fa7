import { setTimeout as sleep } from "node:timers/promises";

export interface RetryOptions {
  /** Whether to try again; anything else is thrown at once. */
  readonly retry: (error: unknown) => boolean;
  /** Called before each wait. */
  readonly onFailure: (error: unknown, waitMs: number) => void;
  /** Ends the waiting; the promise then rejects with the signal's reason. */
  readonly signal: AbortSignal;
}

const FIRST_MS = 200;
const LONGEST_MS = 5_000;

/** Tries until it works, waiting twice as long each time. The jitter keeps services from returning in step. */
export async function retrying<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  for (let wait = FIRST_MS; ; wait = Math.min(wait * 2, LONGEST_MS)) {
    options.signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (!options.retry(error)) throw error;
      const waitMs = Math.round(wait * (0.75 + Math.random() / 2));
      options.onFailure(error, waitMs);
      await sleep(waitMs, undefined, { signal: options.signal });
    }
  }
}
