import type { PoolClient } from "pg";
import { messageOf } from "../error-message.js";
import type { ApplyContext } from "./apply.js";
import { HandlerFailed, isInfrastructureFailure, Raced } from "./faults.js";
import type { SnapshotOptions } from "./snapshot.js";

/*
 * A snapshot that is being taken, and how its work is cut into transactions.
 */

/** As the sequence of a state: found alive, and no event of that life was applied yet. `impliesDeletion` goes by it. */
export const BEFORE_ALL_EVENTS = -1;

export interface Run extends SnapshotOptions {
  readonly client: PoolClient;
  readonly seq: number;
  readonly apply: ApplyContext;
}

export interface Outcome {
  readonly done: number;
  readonly failed: number;
}

export interface Work<T extends { readonly id: string }> {
  readonly items: readonly T[];
  /** Opens the transaction itself, so that it can ask for more in the same breath. */
  readonly work: (part: readonly T[]) => Promise<number>;
  /** Its hook threw: nothing of it was done. */
  readonly leaveOut?: (item: T) => Promise<unknown>;
}

/** In one transaction; where a hook throws, in halves, until only its row is left out. Deadlocks and races start over. */
export async function inParts<T extends { readonly id: string }>(run: Run, whole: Work<T>): Promise<Outcome> {
  const { items, work, leaveOut } = whole;
  const inTransaction = async () => {
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
      const [only] = items;
      if (items.length === 1 && only !== undefined) {
        run.logger.warn(
          { entity: only.id, error: messageOf(error) },
          "a hook failed on a row of the snapshot",
        );
        await leaveOut?.(only);
        return { done: 0, failed: 1 };
      }
      const middle = items.length >> 1;
      const first = await inParts(run, { ...whole, items: items.slice(0, middle) });
      const second = await inParts(run, { ...whole, items: items.slice(middle) });
      return { done: first.done + second.done, failed: first.failed + second.failed };
    }
  }
}
