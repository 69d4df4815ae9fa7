import type { Pool } from "pg";
import type { Broker, ConsumerPlan } from "../broker/broker.js";
import { inTransaction } from "../database/transaction.js";
import type { Tx } from "../definition.js";
import type { ConsumerModel } from "../inbox/consumer-model.js";
import { forgetLost } from "./retries.js";

/*
 * What a durable reads, in `mesh.subscription`. Sequences start again in a recreated stream and fall
 * back in a shortened one (restored from a backup); each such era gets a base of its own, so that
 * base + sequence never goes back.
 */

export interface Position {
  /** Tells one stream from the next. */
  readonly created: string;
  /** Of the oldest message that is left; unknown to who may not ask about the stream. */
  readonly firstSeq?: number;
  readonly lastSeq: number;
}

/**
 * Where the stream stands. A user that may only ask about its durable learns enough from that: when it
 * was made, and a last sequence that is at worst too low. Undefined when neither is there.
 */
export async function readPosition(broker: Broker, plan: ConsumerPlan): Promise<Position | undefined> {
  const stream = await broker.streamState(plan.stream);
  if (stream !== undefined) return stream;
  const consumer = await broker.consumerState(plan.stream, plan.durable);
  if (consumer === undefined) return undefined;
  return {
    created: `durable ${consumer.created}`,
    lastSeq: (consumer.lastDelivered ?? 0) + consumer.pending,
  };
}

export interface Era {
  readonly streamCreated: string;
  readonly base: number;
  /** It began with this call, after another: messages may have been lost in between. */
  readonly begun: boolean;
}

interface SubscriptionRow {
  readonly stream_created: string | null;
  readonly seq_offset: string;
}

export interface EnterOptions {
  readonly broker: Broker;
  readonly plan: ConsumerPlan;
}

/**
 * Recognises the stream, or begins an era; undefined when there is no stream. Replicas that find it at
 * the same time agree: the row is locked.
 */
export async function enterEra(
  pool: Pool,
  model: ConsumerModel,
  enter: EnterOptions,
): Promise<Era | undefined> {
  const { durable } = model.definition;
  // Before the stream is asked: what another replica applies meanwhile must not look like a shortened stream.
  const highest = await highestApplied(pool, model, durable);
  const state = await readPosition(enter.broker, enter.plan);
  if (state === undefined) return undefined;
  return await inTransaction(pool, async (tx) => {
    await tx.query(
      "INSERT INTO mesh.subscription (durable, stream) VALUES ($1, $2) ON CONFLICT (durable) DO NOTHING",
      [durable, enter.plan.stream],
    );
    const { rows } = await tx.query<SubscriptionRow>(
      "SELECT stream_created, seq_offset FROM mesh.subscription WHERE durable = $1 FOR UPDATE",
      [durable],
    );
    const known = rows[0];
    const base = Number(known?.seq_offset ?? 0);
    const same = known?.stream_created === state.created && base + state.lastSeq >= highest;
    await forgetLost(tx, durable, same ? base + state.lastSeq : 0);
    if (same) return { streamCreated: state.created, base, begun: false };
    const first = known?.stream_created == null && highest === 0;
    const next = first ? 0 : Math.max(highest, base);
    await tx.query(
      "UPDATE mesh.subscription SET stream = $2, stream_created = $3, seq_offset = $4, last_seq = $4 WHERE durable = $1",
      [durable, enter.plan.stream, state.created, next],
    );
    return { streamCreated: state.created, base: next, begun: !first };
  });
}

/** `last_seq` is written now and then; the guard's rows are exact, and worth a scan when a stream is entered. */
async function highestApplied(tx: Tx, model: ConsumerModel, durable: string): Promise<number> {
  const { rows } = await tx.query<{ highest: string }>(
    `SELECT greatest(
  (SELECT max(stream_seq) FROM mesh.applied WHERE entity = $1),
  (SELECT max(stream_seq) FROM mesh.dead_letter WHERE durable = $2),
  (SELECT last_seq FROM mesh.subscription WHERE durable = $2), 0) AS highest`,
    [model.definition.entity, durable],
  );
  return Number(rows[0]?.highest ?? 0);
}

export interface SnapshotRecord {
  readonly at: string | null;
  /** When it was read, by the database's clock: ours may be another. */
  readonly ageSeconds: number | null;
  readonly seq: number | null;
  readonly rows: number | null;
  /** How many of them it could not take. */
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

/**
 * A copy that was away for longer than its owner counts versions on after a deletion may know higher versions of a
 * former life than there are of the present one: from here on it goes by sequence, until versions are told again.
 */
export async function distrustVersions(tx: Tx, { definition }: ConsumerModel): Promise<number> {
  const { durable, entity, stream } = definition;
  const { rowCount } = await tx.query(
    `UPDATE mesh.applied SET version = NULL, versioned = false FROM mesh.subscription AS known
WHERE known.durable = $1 AND known.snapshot_at < now() - make_interval(secs => 2 * $3::double precision) AND entity = $2 AND version IS NOT NULL`,
    [durable, entity, stream.tombstoneSeconds ?? null],
  );
  return rowCount ?? 0;
}

/** Moves `last_seq` on and forgets what no longer serves: run every few minutes by any replica. */
export async function tidy(tx: Tx, model: ConsumerModel, lastSeq: number): Promise<void> {
  const { durable, delivery, stream } = model.definition;
  await tx.query("UPDATE mesh.subscription SET last_seq = greatest(last_seq, $2) WHERE durable = $1", [
    durable,
    lastSeq,
  ]);
  // Longer than the stream keeps a message, a duplicate can only come from a publisher's own backlog: a week covers that.
  const seenSeconds = Math.max(stream.maxAgeSeconds, 7 * 86_400);
  await tx.query("DELETE FROM mesh.seen WHERE seen_at < now() - make_interval(secs => $1)", [seenSeconds]);
  const overdue = Math.max(stream.maxAgeSeconds, 10 * delivery.ackWaitSeconds, 3_600);
  await tx.query(
    "DELETE FROM mesh.attempt WHERE durable = $1 AND next_at < now() - make_interval(secs => $2)",
    [durable, overdue],
  );
}
