import type pg from "pg";
import { backOff } from "../back-off.js";
import type { Broker } from "../broker/broker.js";
import type { Logger, ServiceDefinition, StreamDefinition } from "../definition.js";
import { messageOf } from "../text/error-message.js";
import { drainOutbox } from "./drain.js";
import { type Seat, takeSeat } from "./leader-lease.js";
import { type Backlog, measureBacklog } from "./outbox-statements.js";
import { reconcile } from "./version-recovery.js";
import { createAlarm } from "./wake-up.js";

export interface RelayOptions {
  /** Of the service's database. Only its settings are used: the relay makes one connection of its own. */
  readonly pool: Pick<pg.Pool, "options">;
  readonly broker: Broker;
  readonly service: Pick<ServiceDefinition, "name" | "publishes" | "validated"> & {
    readonly stream: StreamDefinition;
  };
  readonly logger: Logger;
}

export interface RelayStats {
  /** This process publishes for its database. Of several replicas one does, the others stand by. */
  readonly leader: boolean;
  /** Rows waiting, as last measured and up to 100,000; undefined while standing by. */
  readonly lag: number | undefined;
  readonly oldestSeconds: number | undefined;
  /** Acknowledged since the start. */
  readonly published: number;
  readonly retries: number;
  /** Entities that wait, since the broker refuses an event of theirs. */
  readonly parked: number;
  readonly lastError: string | undefined;
  /** The broker or the database is away: the outbox grows, nothing is lost. */
  readonly paused: boolean;
}

export interface Relay {
  stats(): RelayStats;
  /** Waits for the acks of what is under way, releases those rows, and leaves the seat to another. */
  stop(): Promise<void>;
}

const pauseAfter = backOff({ from: 100, to: 15_000 });

/** Publishes the outbox of one database in order, for as long as it runs, whatever fails meanwhile. */
export function startRelay(options: RelayOptions): Relay {
  const stopping = new AbortController();
  const { signal } = stopping;
  const logger = options.logger.child({ part: "relay" });
  const alarm = createAlarm();
  const stats = {
    leader: false,
    lag: undefined as number | undefined,
    oldestSeconds: undefined as number | undefined,
    published: 0,
    retries: 0,
    parked: 0,
    lastError: undefined as string | undefined,
    paused: true,
  };
  let onNotify = () => {};
  let failures = 0;
  signal.addEventListener("abort", () => alarm.ring());
  const stopStatus = options.broker.onStatus((status) => {
    if (status.kind === "connected") alarm.ring();
  });

  const falter = async (error: unknown, what: string) => {
    if (signal.aborted) return;
    const message = messageOf(error);
    stats.paused = true;
    stats.lastError = message;
    const waitMs = pauseAfter(failures);
    failures += 1;
    logger.warn({ error: message, waitMs: Math.round(waitMs) }, what);
    await alarm.wait(performance.now() + waitMs);
  };

  const meter = {
    published: () => {
      stats.published += 1;
      failures = 0;
    },
    retried: (error: string) => {
      stats.retries += 1;
      stats.lastError = error;
    },
    parked: (entities: number) => {
      stats.parked = entities;
    },
  };

  const onBacklog = ({ rows, oldestSeconds }: Backlog) => {
    stats.lag = rows;
    stats.oldestSeconds = oldestSeconds;
  };

  /** Until the broker is in trouble, or the relay is stopped. Rejects where the database is. */
  const publishFrom = async (seat: Seat) => {
    const { broker, service } = options;
    const { stream } = service;
    await reconcile({ seat, broker, stream, publishes: service.publishes, logger, signal });
    stats.paused = false;
    return drainOutbox({
      seat,
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

  const hold = async (seat: Seat) => {
    stats.leader = true;
    logger.info({}, "relay leads");
    while (!signal.aborted) {
      let fault: unknown;
      try {
        fault = await publishFrom(seat);
      } catch (error) {
        if (seat.lost.aborted) throw error;
        fault = error;
      }
      if (fault === undefined) continue;
      onBacklog(await measureBacklog(seat));
      await falter(fault, "relay pauses");
    }
  };

  const run = async () => {
    while (!signal.aborted) {
      let seat: Seat | undefined;
      try {
        const standBy = () => {
          stats.paused = false;
        };
        seat = await takeSeat({
          pool: options.pool,
          service: options.service.name,
          logger,
          signal,
          onStandby: standBy,
          onNotify: () => onNotify(),
        });
        if (seat) await hold(seat);
      } catch (error) {
        await falter(error, "relay lost its database");
      } finally {
        Object.assign(stats, { leader: false, lag: undefined, oldestSeconds: undefined });
        await seat?.leave();
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
