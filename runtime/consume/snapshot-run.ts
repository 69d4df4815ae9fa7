import type { PoolClient } from "pg";
import type { ApplyContext } from "./apply.js";
import { HandlerFailed, isInfrastructureFailure, Raced } from "./faults.js";
import type { SnapshotOptions } from "./snapshot.js";

/*
 * A snapshot that is being taken, and how its work is cut into transactions.
 */

export interface Run extends SnapshotOptions {
  readonly client: PoolClient;
  readonly seq: number;
  readonly apply: ApplyContext;
}

export interface Outcome {
  readonly done: number;
  readonly failed: number;
}

export interface Work<T> {
  readonly items: readonly T[];
  /** Opens the transaction, with the settings that this work wants. */
  readonly begin: string;
  readonly work: (part: readonly T[]) => Promise<number>;
}

/** In one transaction; where a hook throws, in halves, until only its row is left out. Deadlocks and races start over. */
export async function inParts<T>(run: Run, { items, begin, work }: Work<T>): Promise<Outcome> {
  const inTransaction = async () => {
    await run.client.query(begin);
    const done = await work(items);
    await run.client.query("COMMIT");
    return done;
  };
  for (let attempt = 1; ; attempt += 1) {
    try {
      return { done: await run.exclusively(inTransaction), failed: 0 };
    } catch (error) {
      await run.client.query("ROLLBACK");
      if ((error instanceof Raced || isInfrastructureFailure(error)) && attempt < 5) continue;
      if (!(error instanceof HandlerFailed)) throw error;
      if (items.length === 1) {
        run.logger.warn({ error: error.message }, "a hook failed on a row of the snapshot");
        return { done: 0, failed: 1 };
      }
      const middle = items.length >> 1;
      const first = await inParts(run, { items: items.slice(0, middle), begin, work });
      const second = await inParts(run, { items: items.slice(middle), begin, work });
      return { done: first.done + second.done, failed: first.failed + second.failed };
    }
  }
}
