import { setTimeout as sleep } from "node:timers/promises";
import { backOff } from "../back-off.js";
import { pause } from "../pause.js";
import { messageOf } from "../text/error-message.js";
import { isInfrastructureFailure } from "./database-errors.js";

/*
 * Doing it again, with back-off, for as long as it takes.
 */

/** The consumer is stopping: what is in hand goes back to the broker. */
export class Stopped extends Error {
  override readonly name = "Stopped";
}

export interface RetryContext {
  readonly signal: AbortSignal;
  /** Called with what is wrong at each failure, and with undefined once the database answers again. */
  readonly onTrouble: (error: string | undefined) => void;
}

const answerAfter = backOff({ from: 100, to: 5_000 });

/**
 * Does `work` until the database answers, in place: order is kept, and no attempt is counted. Rejects with the error when
 * it is an answer (default: infrastructure is not at fault), and with `Stopped` when there is none yet once `signal` is aborted.
 */
export async function retryUntilAnswered<T>(
  { signal, onTrouble }: RetryContext,
  work: () => Promise<T>,
  isAnswer = (error: unknown) => !isInfrastructureFailure(error),
): Promise<T> {
  for (let failures = 0; ; failures += 1) {
    try {
      const result = await work();
      if (failures > 0) onTrouble(undefined);
      return result;
    } catch (error) {
      if (isAnswer(error)) {
        if (failures > 0) onTrouble(undefined);
        throw error;
      }
      if (signal.aborted) throw new Stopped("stopped", { cause: error });
      onTrouble(messageOf(error));
      await pause(answerAfter(failures), signal);
    }
  }
}

export interface RetryOptions {
  /** Whether to try again; any other error is thrown at once. */
  readonly isRetryable: (error: unknown) => boolean;
  /** Called before each wait. */
  readonly onFailure: (error: unknown, waitMs: number) => void;
  /** Ends the waiting; the promise then rejects with the signal's reason. */
  readonly signal: AbortSignal;
}

const startAfter = backOff({ from: 200, to: 5_000 });

/** Does `work` until it succeeds, fails with an error that is not retryable, or `signal` is aborted. */
export async function retryWhile<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { isRetryable, onFailure, signal } = options;
  for (let failures = 0; ; failures += 1) {
    signal.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      if (!isRetryable(error)) throw error;
      const waitMs = Math.round(startAfter(failures));
      onFailure(error, waitMs);
      await sleep(waitMs, undefined, { signal });
    }
  }
}
