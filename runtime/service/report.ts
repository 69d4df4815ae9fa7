import type { CascadeWorkerStats } from "../cascade/cascade-worker.js";
import type { ConsumerStats } from "../consumer/consumer.js";
import { countDeadLetters, type OutboxStatus, type Queryable, readOutbox } from "../operate/figures.js";
import type { Relay } from "../outbox/relay.js";
import type { SnapshotRecord } from "../resync/snapshot-record.js";
import { plural } from "../text/plural.js";
import { publicReason, publicReasonOf } from "./public-reason.js";
import type { RunningParts } from "./running-parts.js";

export type { Queryable } from "../operate/figures.js";

export interface PartsReport {
  readonly checks: Readonly<Record<string, unknown>>;
  /** Why the service is degraded; none where it is not. */
  readonly reasons: readonly string[];
}

/** How the parts are doing, for `/readyz`: figures, and failures by their class only, since anyone may ask. */
export async function reportParts(parts: RunningParts, database?: Queryable): Promise<PartsReport> {
  const { broker, relay, stream, consumers, cascades } = parts;
  if (broker === undefined) return { checks: {}, reasons: [] };
  const connected = broker.connected();
  const { outbox, letters } = await readFigures(
    database,
    consumers.map(({ durable }) => durable),
  );
  const stats = consumers.map(({ running }) => running.stats());
  return {
    checks: {
      broker: { status: connected ? "up" : "down" },
      ...(outbox === undefined ? {} : { outbox: describeOutbox(outbox) }),
      ...(relay === undefined ? {} : { relay: describeRelay(relay) }),
      consumers: Object.fromEntries(stats.map((one) => [one.durable, describeConsumer(one, letters)])),
      ...(cascades === undefined ? {} : { cascades: describeCascades(cascades.stats()) }),
    },
    reasons: connected
      ? [
          ...streamReasons(stream?.missing()),
          ...relayReasons(relay, outbox),
          ...stats.flatMap(consumerReasons),
        ]
      : [`broker: not connected${relay === undefined ? "" : "; events wait in the outbox"}`],
  };
}

/** Leaves out what cannot be read: readiness reports an unreachable database by itself. */
async function readFigures(database: Queryable | undefined, durables: readonly string[]) {
  if (database === undefined) return { outbox: undefined, letters: new Map<string, number>() };
  const outbox = await readOutbox(database).catch(() => undefined);
  const letters = await countDeadLetters(database, durables).catch(() => new Map<string, number>());
  return { outbox, letters };
}

function describeOutbox({ waiting, oldestSeconds, deadLetters }: OutboxStatus): object {
  return { waiting, oldest_seconds: oldestSeconds, dead_letters: deadLetters };
}

function streamReasons(missing: string | undefined): string[] {
  return missing === undefined ? [] : [`stream ${missing}: it has vanished, and nobody made it anew yet`];
}

/** The oldest event of an outbox under normal load is younger. */
const LATE_SECONDS = 60;

function relayReasons(relay: Relay | undefined, outbox: OutboxStatus | undefined): string[] {
  const { paused, quarantined, lastError } = relay?.stats() ?? {};
  const why = lastError === undefined ? "" : `: ${publicReason(lastError)}`;
  if (paused === true) return [`relay: paused${why}`];
  if ((quarantined ?? 0) > 0)
    return [
      `relay: the broker refuses an event of each of ${plural(quarantined ?? 0, "entity", "entities")}${why}`,
    ];
  const age = Math.round(outbox?.oldestSeconds ?? 0);
  return age > LATE_SECONDS ? [`relay: the oldest event waits for ${age} s${why}`] : [];
}

function describeRelay(relay: Relay): object {
  const { leader, lag, oldestSeconds, published, retries, quarantined, lastError, paused } = relay.stats();
  return {
    leader,
    paused,
    lag,
    oldest_seconds: oldestSeconds,
    published,
    retries,
    quarantined,
    last_error: publicReasonOf(lastError),
  };
}

/** What anyone may read of why a snapshot is wanted: the reason itself names entities. */
const SNAPSHOT_REASON = "events were missed";

function consumerReasons({
  durable,
  stalled,
  lastSnapshot,
  ownError,
  snapshotError,
}: ConsumerStats): string[] {
  const source = snapshotError ?? lastSnapshot?.error ?? undefined;
  if (ownError !== undefined) return [`consumer ${durable}: ${publicReason(ownError)}`];
  if (source !== undefined) return [`consumer ${durable}: its last snapshot failed: ${publicReason(source)}`];
  if (lastSnapshot?.wanted != null) return [`consumer ${durable}: a snapshot is wanted: ${SNAPSHOT_REASON}`];
  return stalled ? [`consumer ${durable}: stalled`] : [];
}

function describeConsumer(stats: ConsumerStats, letters: ReadonlyMap<string, number>): object {
  return {
    connected: stats.connected,
    stalled: stats.stalled,
    lag_seconds: stats.lagSeconds,
    pending: stats.pending,
    ack_pending: stats.ackPending,
    redelivered: stats.redelivered,
    applied: stats.applied,
    stale: stats.stale,
    attempts_waiting: stats.attemptsWaiting,
    dead_letters: letters.get(stats.durable) ?? stats.lettersKept ?? 0,
    last_snapshot: stats.lastSnapshot && describeSnapshot(stats.lastSnapshot),
    last_error: publicReasonOf(stats.lastError),
  };
}

function describeSnapshot(record: SnapshotRecord): SnapshotRecord {
  const wanted = record.wanted === null ? null : SNAPSHOT_REASON;
  return { ...record, error: publicReasonOf(record.error), wanted };
}

function describeCascades(stats: CascadeWorkerStats): object {
  return { ...stats, lastError: publicReasonOf(stats.lastError) };
}
