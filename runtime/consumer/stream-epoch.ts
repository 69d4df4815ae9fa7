import type { Pool } from "pg";
import type { Broker, ConsumerPlan } from "../broker/broker.js";
import { inTransaction } from "../database/transaction.js";
import type { Tx } from "../definition/hook-definition.js";
import type { ConsumerModel } from "../inbox/consumer-model.js";
import { forgetLost } from "./retries.js";

/*
 * Stream epochs, in `mesh.subscription`. Sequences start again in a recreated stream and regress in a shortened one
 * (restored from a backup). Each such epoch has a sequence offset of its own, so that the effective sequence, offset +
 * message sequence, never goes back.
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

export interface Epoch {
  readonly streamCreated: string;
  readonly offset: number;
  /** It began with this call, after another epoch: messages may have been lost in between. */
  readonly begun: boolean;
}

/** What the database knows of the stream that it read last. */
export interface KnownStream {
  /** Null before the first attachment. */
  readonly created: string | null;
  readonly offset: number;
  /** Highest effective sequence that was applied or made a dead letter; 0 for none. */
  readonly highest: number;
}

/** Pure. The epoch in which a stream is read that stands at `position`. */
export function epochOf({ created, offset, highest }: KnownStream, position: Position): Epoch {
  const streamCreated = position.created;
  if (created === streamCreated && offset + position.lastSeq >= highest)
    return { streamCreated, offset, begun: false };
  // Where nothing was ever read, nothing can have been lost.
  if (created === null && highest === 0) return { streamCreated, offset: 0, begun: false };
  // The stream is another one, or ends before messages that were applied: its sequences are used again.
  return { streamCreated, offset: Math.max(highest, offset), begun: true };
}

interface SubscriptionRow {
  readonly stream_created: string | null;
  readonly seq_offset: string;
}

export interface SnapshotPositionOptions extends EnterOptions {
  /** Of the stream that is being read; undefined before the first attachment. */
  readonly epoch: () => Epoch | undefined;
}

/** How a snapshot asks where the stream stands, in effective sequences. */
export function snapshotPosition({ broker, plan, epoch }: SnapshotPositionOptions) {
  return {
    /** Of the stream's last message now. Rejects where the stream is out of reach, or not the one that is read. */
    async noteSeq(): Promise<number> {
      const position = await readPosition(broker, plan);
      const current = epoch();
      if (position === undefined || current === undefined)
        throw new Error(`stream ${plan.stream} is out of reach`);
      if (position.created !== current.streamCreated) throw new Error(`stream ${plan.stream} was made anew`);
      return current.offset + position.lastSeq;
    },
    /** Every message up to this one was delivered and is settled. */
    async settledUpTo(seq: number): Promise<boolean> {
      const state = await broker.consumerState(plan.stream, plan.durable);
      if (state === undefined) return false;
      if (state.pending === 0 && state.ackPending === 0) return true;
      return (epoch()?.offset ?? 0) + (state.ackFloor ?? 0) >= seq;
    },
  };
}

export interface EnterOptions {
  readonly broker: Broker;
  readonly plan: ConsumerPlan;
}

/**
 * Recognises the stream, or begins an epoch; undefined when there is no stream. Replicas that call it at the same time
 * agree: the row is locked.
 */
export async function enterEpoch(
  pool: Pool,
  model: ConsumerModel,
  enter: EnterOptions,
): Promise<Epoch | undefined> {
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
    const known = {
      created: rows[0]?.stream_created ?? null,
      offset: Number(rows[0]?.seq_offset ?? 0),
      highest,
    };
    const epoch = epochOf(known, state);
    const isSame = epoch.streamCreated === known.created && !epoch.begun;
    await forgetLost(tx, durable, isSame ? epoch.offset + state.lastSeq : 0);
    if (!isSame)
      await tx.query(
        "UPDATE mesh.subscription SET stream = $2, stream_created = $3, seq_offset = $4, last_seq = $4 WHERE durable = $1",
        [durable, enter.plan.stream, epoch.streamCreated, epoch.offset],
      );
    return epoch;
  });
}

/** `last_seq` is written now and then only; the guard's rows say it exactly, and are worth a scan at each attachment. */
async function highestApplied(tx: Tx, model: ConsumerModel, durable: string): Promise<number> {
  const { rows } = await tx.query<{ highest: string }>(
    `SELECT greatest(
  (SELECT pg_catalog.max(stream_seq) FROM mesh.applied WHERE entity = $1),
  (SELECT pg_catalog.max(stream_seq) FROM mesh.dead_letter WHERE durable = $2),
  (SELECT last_seq FROM mesh.subscription WHERE durable = $2), 0) AS highest`,
    [model.scope, durable],
  );
  return Number(rows[0]?.highest ?? 0);
}

/**
 * A service that was away for longer than its owner remembers deletions may know higher versions of a former incarnation
 * than the present one has. Forgets all versions: events are ordered by sequence until they tell versions again.
 */
export async function distrustVersions(tx: Tx, { definition, scope }: ConsumerModel): Promise<number> {
  const { durable, stream } = definition;
  const { rowCount } = await tx.query(
    `UPDATE mesh.applied SET version = NULL, versioned = false FROM mesh.subscription AS known
WHERE known.durable = $1 AND known.snapshot_at < now() - pg_catalog.make_interval(secs => 2 * $3::double precision) AND entity = $2 AND version IS NOT NULL`,
    [durable, scope, stream.tombstoneSeconds ?? null],
  );
  return rowCount ?? 0;
}

/** Records the highest effective sequence settled, and deletes rows that no longer serve. Any replica, every few minutes. */
export async function tidy(tx: Tx, model: ConsumerModel, settledSeq: number): Promise<void> {
  const { durable, stream } = model.definition;
  await tx.query("UPDATE mesh.subscription SET last_seq = greatest(last_seq, $2) WHERE durable = $1", [
    durable,
    settledSeq,
  ]);
  // Longer than the stream keeps a message, a duplicate can only come from a publisher's own backlog: a week covers that.
  const seenSeconds = Math.max(stream.maxAgeSeconds, 7 * 86_400);
  await tx.query("DELETE FROM mesh.seen WHERE seen_at < now() - pg_catalog.make_interval(secs => $1)", [
    seenSeconds,
  ]);
  for (const table of ["mesh.unheard", "mesh.told"])
    await tx.query(
      `DELETE FROM ${table} WHERE entity = $1 AND noted_at < now() - pg_catalog.make_interval(secs => $2)`,
      [model.scope, seenSeconds],
    );
  const overdue = Math.max(stream.maxAgeSeconds, 10 * model.delivery.ackWaitSeconds, 3_600);
  await tx.query(
    "DELETE FROM mesh.attempt WHERE durable = $1 AND next_at < now() - pg_catalog.make_interval(secs => $2)",
    [durable, overdue],
  );
}
