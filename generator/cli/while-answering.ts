import { setTimeout as sleep } from "node:timers/promises";
import { answerWithin } from "@meshwright/runtime";
import type pg from "pg";

export interface WatchTimes {
  /** Time between two questions, in ms. Default 1000. */
  readonly everyMs?: number;
  /** How long an answer may take, in ms. Default 10,000: a database that is at work may be slow. */
  readonly answerMs?: number;
}

/**
 * Work that takes as long as it likes while its database answers in another session of the pool. Rejects with `NoAnswer` once it does not;
 * the work goes on until its sessions are closed.
 */
export async function whileAnswering<T>(
  pool: pg.Pool,
  work: () => Promise<T>,
  { everyMs = 1_000, answerMs = 10_000 }: WatchTimes = {},
): Promise<T> {
  const over = new AbortController();
  const wait = () => sleep(everyMs, undefined, { signal: over.signal });
  /** An error of the server is an answer as well; a session that cannot be had is none. */
  const answer = async (): Promise<void> => {
    for (;;) {
      try {
        await pool.query("SELECT 1");
        return;
      } catch (error) {
        if (error instanceof Error && "severity" in error) return;
        await wait();
      }
    }
  };
  const watch = async (): Promise<never> => {
    for (;;) {
      await wait();
      await answerWithin(answer(), answerMs);
    }
  };
  const working = work();
  // Who has lost the race fails later.
  working.catch(() => undefined);
  try {
    return await Promise.race([working, watch()]);
  } finally {
    over.abort();
  }
}
