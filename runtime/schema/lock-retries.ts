import type { ClientBase, Pool } from "pg";
import { backOff } from "../back-off.js";
import { classify } from "../database/database-errors.js";
import type { Logger } from "../definition/hook-definition.js";
import { pause } from "../pause.js";
import { type Blocker, describeBlockers, watchBlockers } from "./blockers.js";

/**
 * How long a migration waits for a lock, in ms. Whoever comes to the table meanwhile waits behind it, readers
 * included; so it gives up soon, lets them pass, and comes again.
 */
export const LOCK_TIMEOUT_MS = 500;
const pauseAfter = backOff({ from: 500, to: 10_000 });

/** A session that needs locks that others hold. */
export interface LockWaiting {
  readonly client: ClientBase;
  /** Where a second connection comes from, to see who is in the way. */
  readonly database: Pool | ClientBase;
  readonly logger: Logger;
  /** Ends the waiting; rejects then with the signal's reason. */
  readonly signal: AbortSignal | undefined;
}

interface LockRetries extends LockWaiting {
  /** Who waits: `migration 0002_total.sql`. */
  readonly what: string;
  /** Told while it waits without being in anybody's way. Default: nobody. */
  readonly onBlocked?: (blockers: readonly Blocker[]) => void;
}

/** Tries until `attempt` gets its locks; an error that is no matter of locks ends it. */
export async function retryLocks<T>(
  { client, database, logger, signal, what, onBlocked = () => undefined }: LockRetries,
  attempt: () => Promise<T>,
): Promise<T> {
  const pid = await backendPid(client);
  for (let count = 1; ; count += 1) {
    signal?.throwIfAborted();
    const watch = watchBlockers({ database, pid, onBlocked });
    try {
      return await attempt();
    } catch (error) {
      signal?.throwIfAborted();
      if (classify(error) !== "contended") throw error;
      const waitMs = Math.round(pauseAfter(count - 1));
      const blockers = watch.seen();
      logger.warn(
        { attempt: count, waitMs, blockers },
        `${what} needs a lock that is held by ${describeBlockers(blockers)}; it lets others pass and tries again`,
      );
      await pause(waitMs, signal);
    } finally {
      await watch.end();
    }
  }
}

export async function backendPid(client: ClientBase): Promise<number> {
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  return rows[0]?.pid ?? 0;
}
