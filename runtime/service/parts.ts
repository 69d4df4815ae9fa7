import type { Pool } from "pg";
import type { Broker } from "../broker/broker.js";
import { startCascadeWorker } from "../cascade/cascade-worker.js";
import { type RunningConsumer, startConsumer } from "../consumer/consumer.js";
import type { Logger } from "../definition/hook-definition.js";
import type { ServiceDefinition } from "../definition/service-definition.js";
import type { ResyncResult } from "../http/operate-routes.js";
import { consumersOf } from "../inbox/every-event.js";
import { startMomentWorker } from "../outbox/moment-worker.js";
import { type Relay, startRelay } from "../outbox/relay.js";
import { startStreamMonitor } from "../outbox/stream-monitor.js";
import { pause } from "../pause.js";
import type { SnapshotChoice } from "../resync/resync.js";
import { openDeadLetterStream } from "../stateless/dead-letter-stream.js";
import { startStatelessConsumer } from "../stateless/stateless-consumer.js";
import type { Meter } from "../telemetry/meter.js";
import { messageOf } from "../text/error-message.js";
import { type PartsReport, type Queryable, reportParts } from "./report.js";
import type { RunningParts } from "./running-parts.js";
import type { Environment } from "./secret-files.js";
import { startTombstoneExpiry } from "./tombstone-expiry.js";

/** The parts of a service that work by themselves: relay, consumers, cascades, moments. None waits for another, or for the broker. */
export interface Parts {
  readonly running: RunningParts;
  /** How the parts are doing. `database` is the session for the figures. */
  readonly report: (database?: Queryable) => Promise<PartsReport>;
  readonly resync: (durable: string, how?: SnapshotChoice) => Promise<ResyncResult>;
  /** Takes no new messages, and finishes or hands back what is in flight. To be called before the last requests end. */
  readonly stopConsuming: () => Promise<void>;
  /** Publishes what it can of the outbox, then closes the broker. To be called after the last write. */
  readonly stop: () => Promise<void>;
}

export interface PartsOptions {
  readonly definition: ServiceDefinition;
  /** Undefined for a service that neither publishes nor subscribes. Closed with the parts. */
  readonly broker: Broker | undefined;
  readonly env: Environment;
  /** Undefined for a service without a database. */
  readonly pool: Pool | undefined;
  readonly logger: Logger;
  /** Measures batches. */
  readonly meter?: Pick<Meter, "batch"> | undefined;
}

/**
 * Starts what a service does by itself: relay, consumers, cascades, snapshots. Returns at once; nothing of it
 * waits for the broker.
 */
export function startParts(options: PartsOptions): Parts {
  const { pool } = options;
  const parts = options.broker === undefined ? NOTHING : startAll(options, options.broker);
  const { broker, relay, stream, consumers, cascades, moments, tombstoneExpiry } = parts;
  return {
    running: parts,
    report: (session) => reportParts(parts, session),
    resync: async (durable, how) => {
      const found = consumers.find((consumer) => consumer.durable === durable);
      return await resyncOne(durable, () => found?.running.resync(how));
    },
    stopConsuming: async () => {
      await Promise.all([
        ...consumers.map(({ running }) => running.stop()),
        cascades?.stop(),
        moments?.stop(),
        tombstoneExpiry?.stop(),
      ]);
    },
    stop: async () => {
      if (pool !== undefined && broker !== undefined && relay !== undefined)
        await flushOutbox(pool, broker, relay);
      stream?.stop();
      await relay?.stop();
      await broker?.close();
    },
  };
}

const NOTHING: RunningParts = {
  broker: undefined,
  relay: undefined,
  stream: undefined,
  consumers: [],
  cascades: undefined,
  moments: undefined,
  tombstoneExpiry: undefined,
};

const FLUSH_MS = 3_000;

/** False where the database does not answer: then nothing can be published either. */
async function hasWaiting(pool: Pool): Promise<boolean> {
  const waiting = await pool.query("SELECT FROM mesh.outbox LIMIT 1").catch(() => undefined);
  return (waiting?.rows.length ?? 0) > 0;
}

/**
 * Waits up to 3 s until the last events of a stopping service are published. Does not wait while the broker is away or another
 * replica has the leader lease. What is left is published by the next leader.
 */
async function flushOutbox(pool: Pool, broker: Broker, relay: Relay): Promise<void> {
  const deadline = Date.now() + FLUSH_MS;
  while (Date.now() < deadline) {
    const { leader, paused } = relay.stats();
    if (!leader || paused || !broker.connected()) return;
    if (!(await hasWaiting(pool))) return;
    await pause(25);
  }
}

function startAll({ pool, ...options }: PartsOptions, broker: Broker): RunningParts {
  return pool === undefined
    ? startStateless(options, broker)
    : startWithDatabase({ ...options, pool }, broker);
}

function startStateless(
  { definition: { stateless }, logger, meter }: Omit<PartsOptions, "pool">,
  broker: Broker,
): RunningParts {
  if (stateless === undefined) return { ...NOTHING, broker };
  const { onEvent } = stateless;
  const letters = openDeadLetterStream(broker, stateless.deadLetters);
  const consumers = stateless.consumers.map((definition) => ({
    durable: definition.durable,
    running: startStatelessConsumer({ broker, definition, onEvent, letters, logger, onBatch: meter?.batch }),
  }));
  return { ...NOTHING, broker, consumers };
}

function startWithDatabase(options: PartsOptions & { readonly pool: Pool }, broker: Broker): RunningParts {
  const { definition, env, pool, logger, meter } = options;
  const own = definition.stream;
  const relay = own && startRelay({ pool, broker, service: { ...definition, stream: own }, logger });
  const stream = own && startStreamMonitor({ broker, stream: own, logger });
  const cascades = startCascadeWorker({ pool, consumers: definition.consumers, logger });
  const consumers = consumersOf(definition).map((consumer) => ({
    durable: consumer.durable,
    running: startConsumer({
      pool,
      broker,
      definition: consumer,
      env,
      logger,
      onTasks: () => cascades.wake(),
      onBatch: meter?.batch,
    }),
  }));
  const moments = definition.moments && startMomentWorker({ pool, logger });
  const tombstoneExpiry = startTombstoneExpiry({ pool, definition, logger });
  return { broker, relay, stream, consumers, cascades, moments, tombstoneExpiry };
}

async function resyncOne(
  durable: string,
  resync: () => ReturnType<RunningConsumer["resync"]> | undefined,
): Promise<ResyncResult> {
  try {
    const report = await resync();
    return report === undefined
      ? { durable, error: "another replica is reading the source" }
      : { durable, report };
  } catch (error) {
    return { durable, error: messageOf(error) };
  }
}
