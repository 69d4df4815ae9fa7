import type { PoolClient } from "pg";
import type { Logger, Tx } from "../definition/hook-definition.js";
import { messageOf } from "../text/error-message.js";
import { plural } from "../text/plural.js";
import type { SnapshotOptions, SnapshotReport } from "./snapshot-run.js";

/*
 * What replicas share about the snapshots of a durable: the lock of the one under way, and how the last one went.
 */

export interface SnapshotRecord {
  readonly at: string | null;
  /** When it was read, by the database's clock: ours may be another. */
  readonly ageSeconds: number | null;
  readonly seq: number | null;
  readonly rows: number | null;
  /** How many rows it could not take. */
  readonly unfit: number;
  /** Why the last one failed. */
  readonly error: string | null;
  /** Why another is wanted: events were lost since, or nobody knows. */
  readonly wanted: string | null;
}

export async function readSnapshotRecord(tx: Tx, durable: string): Promise<SnapshotRecord | undefined> {
  const { rows } = await tx.query<{
    snapshot_at: Date | null;
    age_seconds: number | null;
    snapshot_seq: string | null;
    snapshot_rows: string | null;
    snapshot_unfit: string | null;
    snapshot_error: string | null;
    snapshot_wanted: string | null;
  }>(
    `SELECT snapshot_at, extract(epoch FROM now() - snapshot_at)::float8 AS age_seconds, snapshot_seq, snapshot_rows,
  snapshot_unfit, snapshot_error, snapshot_wanted FROM mesh.subscription WHERE durable = $1`,
    [durable],
  );
  const row = rows[0];
  if (row === undefined) return undefined;
  return {
    at: row.snapshot_at?.toISOString() ?? null,
    ageSeconds: row.age_seconds,
    seq: row.snapshot_seq === null ? null : Number(row.snapshot_seq),
    rows: row.snapshot_rows === null ? null : Number(row.snapshot_rows),
    unfit: Number(row.snapshot_unfit ?? 0),
    error: row.snapshot_error,
    wanted: row.snapshot_wanted,
  };
}

const LOCK_KEY = "pg_catalog.hashtextextended('mesh snapshot ' || $1, 0)";

export async function tryLock(client: PoolClient, durable: string): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    `SELECT pg_catalog.pg_try_advisory_lock(${LOCK_KEY}) AS locked`,
    [durable],
  );
  return rows[0]?.locked === true;
}

/** A lost connection has released it already. */
export async function releaseLock(client: PoolClient, durable: string, logger: Logger): Promise<void> {
  try {
    await client.query("ROLLBACK");
    await client.query(`SELECT pg_catalog.pg_advisory_unlock(${LOCK_KEY})`, [durable]);
  } catch (error) {
    logger.debug({ error: messageOf(error) }, "the snapshot's connection is gone, and its lock with it");
  }
}

/** `wanted`: why a snapshot was wanted when this one began. A reason that was recorded since stays: this one may not answer it. */
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
