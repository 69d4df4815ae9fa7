import type { PoolClient } from "pg";
import type { Logger } from "../definition.js";
import { messageOf } from "../text/error-message.js";
import { plural } from "../text/plural.js";
import type { SnapshotOptions, SnapshotReport } from "./snapshot.js";

/*
 * What the replicas know of each other's snapshots: the lock of the one at work, and how the last went.
 */

const LOCK_KEY = "hashtextextended('mesh snapshot ' || $1, 0)";

export async function tryLock(client: PoolClient, durable: string): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    `SELECT pg_try_advisory_lock(${LOCK_KEY}) AS locked`,
    [durable],
  );
  return rows[0]?.locked === true;
}

/** A lost connection has released it already. */
export async function releaseLock(client: PoolClient, durable: string, logger: Logger): Promise<void> {
  try {
    await client.query("ROLLBACK");
    await client.query(`SELECT pg_advisory_unlock(${LOCK_KEY})`, [durable]);
  } catch (error) {
    logger.debug({ error: messageOf(error) }, "the snapshot's connection is gone, and its lock with it");
  }
}

/** A gap that was noticed meanwhile stays wanted: this snapshot may not have seen it closed. */
export async function recordSuccess(
  client: PoolClient,
  durable: string,
  report: SnapshotReport,
  wanted: string | null,
): Promise<void> {
  const error = report.failed > 0 ? `hooks failed on ${plural(report.failed, "row")}` : null;
  await client.query(
    `UPDATE mesh.subscription SET snapshot_at = now(), snapshot_seq = $2, snapshot_rows = $3,
  snapshot_error = $5, snapshot_wanted = CASE WHEN snapshot_wanted IS DISTINCT FROM $4 THEN snapshot_wanted END
WHERE durable = $1`,
    [durable, report.seq, report.rows, wanted, error],
  );
}

export async function recordFailure({ pool, model, logger }: SnapshotOptions, error: string): Promise<void> {
  try {
    await pool.query("UPDATE mesh.subscription SET snapshot_error = $2 WHERE durable = $1", [
      model.definition.durable,
      error.replaceAll("\0", ""),
    ]);
  } catch (cause) {
    logger.debug({ error: messageOf(cause) }, "the snapshot's failure could not be recorded");
  }
}
