import type { Pool } from "pg";
import type { Broker, ConsumerPlan } from "../broker/broker.js";
import { pause } from "../pause.js";
import { messageOf } from "../text/error-message.js";
import { type ConsumerState, knownOf } from "./consumer-state.js";
import { assess, type BrokerPoll, type MonitorFinding, NO_MEMORY, type Poll } from "./observation.js";
import { readPosition } from "./stream-epoch.js";

/*
 * Polls what a consumer depends on, every few seconds: its retries, other releases, its durable and its stream. It only
 * reads, and tells the consumer what it found.
 */

export interface MonitorOptions {
  readonly pool: Pool;
  readonly broker: Broker;
  readonly plan: ConsumerPlan;
  readonly signal: AbortSignal;
  /** Poll interval in ms. Default 3000. */
  readonly pollMs: number | undefined;
  readonly state: () => ConsumerState;
  readonly onFinding: (finding: MonitorFinding) => Promise<void>;
  /** After each poll: why it failed; undefined when it did not. */
  readonly onPolled: (failure: string | undefined) => void;
  /** Every hundredth poll. */
  readonly onTidy: () => Promise<void>;
}

const POLL_MS = 3_000;
const TIDY_EVERY = 100;

/** Resolves once the signal is aborted and the poll under way has ended. */
export async function monitor(options: MonitorOptions): Promise<void> {
  const { signal, pollMs = POLL_MS } = options;
  let memory = NO_MEMORY;
  for (let count = 1; ; count += 1) {
    await pause(pollMs, signal);
    if (signal.aborted) return;
    try {
      const assessment = assess(memory, await poll(options));
      for (const finding of assessment.findings) await options.onFinding(finding);
      memory = assessment.memory;
      if (count % TIDY_EVERY === 0) await options.onTidy();
      options.onPolled(undefined);
    } catch (error) {
      options.onPolled(messageOf(error));
    }
  }
}

/**
 * Retries that are pending, and whether replicas of another release are at work: the names of their sessions end in
 * another mark.
 */
const READ_DATABASE = `SELECT (SELECT count(*)::integer FROM mesh.attempt WHERE durable = $1) AS retries, EXISTS (
  SELECT FROM pg_stat_activity AS session, pg_catalog.regexp_match(session.application_name, '^(.*) [0-9a-f]{8}$') AS theirs,
    pg_catalog.current_setting('application_name') AS own
  WHERE session.datname = current_database() AND session.application_name <> own
    AND theirs[1] = (pg_catalog.regexp_match(own, '^(.*) [0-9a-f]{8}$'))[1]) AS others`;

async function poll({ pool, broker, plan, state }: MonitorOptions): Promise<Poll> {
  const { rows } = await pool.query<{ retries: number; others: boolean }>(READ_DATABASE, [plan.durable]);
  const before = state();
  const connected = broker.connected();
  return {
    now: Date.now(),
    pendingRetries: rows[0]?.retries ?? 0,
    otherRelease: rows[0]?.others === true,
    reachable: connected && knownOf(before) !== undefined,
    broker: connected && before.kind === "consuming" ? await pollBroker(broker, plan, state) : undefined,
  };
}

/** What was delivered is read first, and what is known last: in between the consumer goes on. */
async function pollBroker(
  broker: Broker,
  plan: ConsumerPlan,
  state: () => ConsumerState,
): Promise<BrokerPoll | undefined> {
  const delivered = knownOf(state())?.deliveredSeq ?? 0;
  const position = await readPosition(broker, plan);
  const durable = await broker.consumerState(plan.stream, plan.durable);
  const known = knownOf(state());
  if (known === undefined) return undefined;
  const seen =
    position === undefined || durable === undefined ? "gone" : { position, durable, deliveredSeq: delivered };
  return { known, seen, instance: broker.instance?.() };
}
