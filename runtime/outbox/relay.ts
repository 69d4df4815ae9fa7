import type pg from "pg";
import { backOff } from "../back-off.js";
import type { Broker } from "../broker/broker.js";
import type { Logger } from "../definition/hook-definition.js";
import type { ServiceDefinition } from "../definition/service-definition.js";
import type { StreamDefinition } from "../definition/stream-definition.js";
import { messageOf } from "../text/error-message.js";
import { drainOutbox } from "./drain.js";
import { acquireLease, type LeaderLease } from "./leader-lease.js";
import { type Backlog, measureBacklog } from "./outbox-statements.js";
import { recoverVersions } from "./version-recovery.js";
import { createWakeUp } from "./wake-up.js";

export interface RelayOptions {
  /** Of the service's database. The relay opens one connection of its own with its settings. */
  readonly pool: Pick<pg.Pool, "options">;
  readonly broker: Broker;
  readonly service: Pick<ServiceDefinition, "name" | "publishes" | "validated"> & {
    readonly stream: StreamDefinition;
  };
  readonly logger: Logger;
}

export interface RelayStats {
  /** Whether this process holds the leader lease and publishes. Of several replicas one does, the others stand by. */
  readonly leader: boolean;
  /** Rows in the outbox as last measured, up to 100,000; undefined while standing by. */
  readonly lag: number | undefined;
  readonly oldestSeconds: number | undefined;
  /** Events acked by the stream since the start. */
  readonly published: number;
  readonly retries: number;
  /** Entities of which the broker refuses an event. */
  readonly quarantined: number;
  readonly lastError: string | undefined;
  /** The broker or the database is away: the outbox grows, nothing is lost. */
  readonly paused: boolean;
}

export interface Relay {
  stats(): RelayStats;
  /** Waits for the acks of what is in flight, deletes those rows, and releases the leader lease. */
  stop(): Promise<void>;
}

const pauseAfter = backOff({ from: 100, to: 15_000 });

/** Publishes the outbox of one database in order, until stopped. Whatever fails is retried with back-off. */
export function startRelay(options: RelayOptions): Relay {
  const stopping = new AbortController();
  const { signal } = stopping;
  const logger = options.logger.child({ part: "relay" });
  const wakeUp = createWakeUp();
  const stats = {
    leader: false,
    lag: undefined as number | undefined,
    oldestSeconds: undefined as number | undefined,
    published: 0,
    retries: 0,
    quarantined: 0,
    lastError: undefined as string | undefined,
    paused: true,
  };
  let onNotify = () => {};
  let failures = 0;
  signal.addEventListener("abort", () => wakeUp.signal());
  const stopStatus = options.broker.onStatus((status) => {
    if (status.kind === "connected") wakeUp.signal();
  });

  const pauseAfterFailure = async (error: unknown, what: string) => {
    if (signal.aborted) return;
    const message = messageOf(error);
    stats.paused = true;
    stats.lastError = message;
    const waitMs = pauseAfter(failures);
    failures += 1;
    logger.warn({ error: message, waitMs: Math.round(waitMs) }, what);
    await wakeUp.wait(performance.now() + waitMs);
  };

  const resume = () => {
    stats.paused = false;
    stats.lastError = undefined;
  };

  const meter = {
    published: () => {
      stats.published += 1;
      failures = 0;
      // An entity whose event is refused waits on, for that reason.
      if (stats.quarantined === 0) stats.lastError = undefined;
    },
    retried: (error: string) => {
      stats.retries += 1;
      stats.lastError = error;
    },
    refused: (entities: number) => {
      stats.quarantined = entities;
    },
  };

  const onBacklog = ({ rows, oldestSeconds }: Backlog) => {
    stats.lag = rows;
    stats.oldestSeconds = oldestSeconds;
  };

  /** Resolves when the broker is in trouble or the relay is stopped; rejects when the database is in trouble. */
  const publishFrom = async (lease: LeaderLease) => {
    const { broker, service } = options;
    const { stream } = service;
    await recoverVersions({ lease, broker, stream, publishes: service.publishes, logger, signal });
    resume();
    return drainOutbox({
      lease,
      broker,
      stream,
      publishing: service,
      logger,
      signal,
      meter,
      onNotify: (wake) => {
        onNotify = wake;
      },
      onBacklog,
    });
  };

  const lead = async (lease: LeaderLease) => {
    stats.leader = true;
    logger.info({}, "relay leads");
    while (!signal.aborted) {
      let fault: unknown;
      try {
        fault = await publishFrom(lease);
      } catch (error) {
        if (lease.lost.aborted) throw error;
        fault = error;
      }
      if (fault === undefined) continue;
      onBacklog(await measureBacklog(lease, 0));
      await pauseAfterFailure(fault, "relay pauses");
    }
  };

  const run = async () => {
    while (!signal.aborted) {
      let lease: LeaderLease | undefined;
      try {
        lease = await acquireLease({
          pool: options.pool,
          service: options.service.name,
          logger,
          signal,
          onStandby: resume,
          onNotify: () => onNotify(),
        });
        if (lease) await lead(lease);
      } catch (error) {
        await pauseAfterFailure(error, "relay lost its database");
      } finally {
        Object.assign(stats, { leader: false, lag: undefined, oldestSeconds: undefined });
        await lease?.release();
      }
    }
  };
  const running = run();

  return {
    stats: () => ({ ...stats }),
    async stop() {
      stopping.abort();
      await running;
      stopStatus();
    },
  };
}
