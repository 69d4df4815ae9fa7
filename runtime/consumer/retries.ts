import type { Tx } from "../definition/hook-definition.js";
import type { ConsumerModel } from "../inbox/consumer-model.js";
import type { Addressed } from "../inbox/parse.js";

/*
 * Pending retries: events that failed and are due again, in `mesh.attempt`. Shared by all replicas, and written before
 * an attempt, so that one which kills the process is counted too.
 */

export interface PendingRetry {
  readonly seq: number;
  readonly entityId: string;
  readonly attempts: number;
  /** In ms since 1970 by this process's clock, from the time that is left by the database's: the two may be an hour apart. */
  readonly dueAt: number;
}

/** What has to be known before a batch. */
export interface PendingRetries {
  /** The sequence offset that all replicas agree on; undefined before the first attachment. */
  readonly offset: number | undefined;
  /** Of this durable, by effective sequence; usually none. */
  readonly bySeq: ReadonlyMap<number, PendingRetry>;
}

type RetryRow = readonly [string, string | null, string, number, number];

export async function readPendingRetries(tx: Tx, durable: string): Promise<PendingRetries> {
  const { rows } = await tx.query<[...RetryRow]>({
    name: "mesh-pending-retries",
    text: `SELECT subscription.seq_offset, attempt.stream_seq, attempt.entity_id, attempt.attempts,
  extract(epoch FROM attempt.next_at - clock_timestamp())::float8
FROM mesh.subscription LEFT JOIN mesh.attempt USING (durable)
WHERE subscription.durable = $1 ORDER BY attempt.stream_seq`,
    values: [durable],
    rowMode: "array",
  });
  const bySeq = new Map<number, PendingRetry>();
  const now = Date.now();
  for (const [, seq, entityId, count, dueInSeconds] of rows) {
    if (seq === null) continue;
    bySeq.set(Number(seq), {
      seq: Number(seq),
      entityId,
      attempts: count,
      dueAt: now + dueInSeconds * 1_000,
    });
  }
  const offset = rows[0]?.[0];
  return { offset: offset === undefined ? undefined : Number(offset), bySeq };
}

export interface Recorded {
  readonly attempts: number;
  /** Of the attempt before; null when that one ended the process. */
  readonly lastError: string | null;
}

/** Counts an attempt that is about to be made. Until it ends, the event is due when a crash would bring it again. */
export async function recordAttempt(tx: Tx, model: ConsumerModel, event: Addressed): Promise<Recorded> {
  const { durable, stream } = model.definition;
  const { rows } = await tx.query<{ attempts: number; last_error: string | null }>(
    `INSERT INTO mesh.attempt AS known (stream, stream_seq, durable, entity, entity_id, attempts, next_at)
VALUES ($1, $2, $3, $4, $5, 1, now() + pg_catalog.make_interval(secs => $6))
ON CONFLICT (durable, stream_seq) DO UPDATE SET attempts = known.attempts + 1, next_at = excluded.next_at
RETURNING attempts, last_error`,
    [stream.name, event.seq, durable, model.scope, event.id, model.delivery.ackWaitSeconds],
  );
  return { attempts: rows[0]?.attempts ?? 1, lastError: rows[0]?.last_error ?? null };
}

export async function postponeAttempt(
  tx: Tx,
  model: ConsumerModel,
  event: Addressed,
  outcome: { readonly error: string; readonly delayMs: number },
): Promise<void> {
  await tx.query(
    `UPDATE mesh.attempt SET last_error = $3, next_at = now() + pg_catalog.make_interval(secs => $4)
WHERE durable = $1 AND stream_seq = $2`,
    [model.definition.durable, event.seq, outcome.error, outcome.delayMs / 1000],
  );
}

/** The event was deferred behind another one instead: the attempt does not count. */
export async function withdrawAttempt(tx: Tx, model: ConsumerModel, event: Addressed): Promise<void> {
  await tx.query(
    `WITH withdrawn AS (
  UPDATE mesh.attempt SET attempts = attempts - 1, next_at = now() WHERE durable = $1 AND stream_seq = $2 AND attempts > 1
)
DELETE FROM mesh.attempt WHERE durable = $1 AND stream_seq = $2 AND attempts <= 1`,
    [model.definition.durable, event.seq],
  );
}

export async function forgetAttempt(tx: Tx, model: ConsumerModel, event: Addressed): Promise<void> {
  await tx.query("DELETE FROM mesh.attempt WHERE durable = $1 AND stream_seq = $2", [
    model.definition.durable,
    event.seq,
  ]);
}

/**
 * Forgets attempts at messages that are settled: another replica was given one of them a second time, and applied
 * it, between the failure here and its record. A retry that stays pending would hold up its entity's later events.
 */
export async function forgetSettled(tx: Tx, model: ConsumerModel, upTo: number): Promise<void> {
  await tx.query("DELETE FROM mesh.attempt WHERE durable = $1 AND stream_seq <= $2", [
    model.definition.durable,
    upTo,
  ]);
}

/**
 * Forgets attempts at messages beyond the end of the stream, which has lost them. Others will stand under their sequences, and
 * owe nothing to them.
 */
export async function forgetLost(tx: Tx, durable: string, end: number): Promise<void> {
  await tx.query("DELETE FROM mesh.attempt WHERE durable = $1 AND stream_seq > $2", [durable, end]);
}

/** The back-off in ms after the given number of failed attempts. */
export function backoffMs(model: ConsumerModel, attempts: number): number {
  const steps = model.delivery.backoffSeconds;
  return (steps[Math.min(attempts, steps.length) - 1] ?? 1) * 1000;
}
