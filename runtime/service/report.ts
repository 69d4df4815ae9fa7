import type { Pool } from "pg";
import type { ConsumerStats } from "../consume/consumer.js";
import type { Relay } from "../outbox/relay.js";
import type { RunningParts } from "./parts.js";

export interface PartsReport {
  readonly checks: Readonly<Record<string, unknown>>;
  /** Why the service is degraded; empty when it is not. */
  readonly reasons: readonly string[];
}

/** How the parts are doing, for `/readyz`. */
export async function reportParts(parts: RunningParts, pool: Pool): Promise<PartsReport> {
  const { broker, relay, consumers, cascades } = parts;
  if (broker === undefined) return { checks: {}, reasons: [] };
  const connected = broker.connected();
  const letters = await countDeadLetters(pool);
  const stats = consumers.map(({ running }) => running.stats());
  return {
    checks: {
      broker: { status: connected ? "up" : "down" },
      ...(relay === undefined ? {} : { relay: describeRelay(relay) }),
      consumers: Object.fromEntries(stats.map((one) => [one.durable, describeConsumer(one, letters)])),
      ...(cascades === undefined ? {} : { cascades: cascades.stats() }),
    },
    reasons: connected
      ? [...relayReasons(relay), ...stats.flatMap(consumerReasons)]
      : ["broker: not connected; events wait in the outbox"],
  };
}

/** An outbox that is this old is not merely busy. */
const LATE_SECONDS = 60;

function relayReasons(relay: Relay | undefined): string[] {
  const { paused, oldestSeconds, parked, lastError } = relay?.stats() ?? {};
  const why = lastError === undefined ? "" : `: ${lastError}`;
  if (paused === true) return [`relay: paused${why}`];
  if ((parked ?? 0) > 0)
    return [`relay: ${parked} entities wait, the broker refuses an event of theirs${why}`];
  return (oldestSeconds ?? 0) > LATE_SECONDS
    ? [`relay: the oldest event waits for ${oldestSeconds} s${why}`]
    : [];
}

function describeRelay(relay: Relay): object {
  const { leader, lag, oldestSeconds, published, retries, parked, lastError, paused } = relay.stats();
  return {
    leader,
    paused,
    lag,
    oldest_seconds: oldestSeconds,
    published,
    retries,
    parked,
    last_error: lastError,
  };
}

function consumerReasons({ durable, stalled, lastSnapshot, lastError }: ConsumerStats): string[] {
  const trouble = lastError ?? lastSnapshot?.error ?? (stalled ? "stalled" : undefined);
  return trouble === undefined ? [] : [`consumer ${durable}: ${trouble}`];
}

function describeConsumer(stats: ConsumerStats, letters: ReadonlyMap<string, number>): object {
  return {
    connected: stats.connected,
    stalled: stats.stalled,
    pending: stats.pending,
    ack_pending: stats.ackPending,
    applied: stats.applied,
    stale: stats.stale,
    attempts_waiting: stats.attemptsWaiting,
    dead_letters: letters.get(stats.durable) ?? 0,
    last_snapshot: stats.lastSnapshot,
    last_error: stats.lastError,
  };
}

/** Those that wait for an operator. An unreachable database is reported on its own. */
async function countDeadLetters(pool: Pool): Promise<ReadonlyMap<string, number>> {
  const { rows } = await pool
    .query<{ durable: string; letters: number }>(
      "SELECT durable, count(*)::integer AS letters FROM mesh.dead_letter WHERE redriven_at IS NULL GROUP BY durable",
    )
    .catch(() => ({ rows: [] }));
  return new Map(rows.map(({ durable, letters }) => [durable, letters]));
}
