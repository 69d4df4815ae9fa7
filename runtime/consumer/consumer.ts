import { ageInSeconds } from "../age.js";
import { backOff } from "../back-off.js";
import { ConsumerGone } from "../broker/broker.js";
import { pause } from "../pause.js";
import type { SnapshotChoice } from "../resync/resync.js";
import type { SnapshotRecord } from "../resync/snapshot-record.js";
import type { SnapshotReport } from "../resync/snapshot-run.js";
import { messageOf } from "../text/error-message.js";
import { attach } from "./attaching.js";
import { assemble, type Consumer, type ConsumerOptions, settledSeq } from "./consumer-parts.js";
import { detached, isAttached, knownOf, LEAVE_TEXT, stopped } from "./consumer-state.js";
import { monitor } from "./monitor.js";
import { react } from "./reactions.js";
import { tidy } from "./stream-epoch.js";

/*
 * One durable consumer, from its start to its stop. Its states and their transitions stand in `consumer-state.ts`. Data
 * flows one way: the monitor (`monitor.ts`) observes, `observation.ts` says what that means, `reactions.ts` acts on it.
 */

export type { ConsumerOptions } from "./consumer-parts.js";

export interface ConsumerStats {
  readonly durable: string;
  /** The durable exists and messages are being taken. */
  readonly connected: boolean;
  readonly pending: number | undefined;
  readonly ackPending: number | undefined;
  /** Age of the oldest message that this process was given and has not settled; 0 where there is none, undefined while not connected. */
  readonly lagSeconds: number | undefined;
  /** Delivered more than once, and not acked yet. */
  readonly redelivered: number | undefined;
  /** Since the start: fresh events applied, stale ones passed over, messages made dead letters. */
  readonly applied: number;
  readonly stale: number;
  readonly deadLetters: number;
  /** Commit of the newest event among them, as its owner says it, in unix seconds. */
  readonly lastEventAt?: number;
  /** Events of this durable that failed and are due again. */
  readonly attemptsWaiting: number;
  /** Of a service without a database: its dead letters, as of the last poll. */
  readonly lettersKept?: number | undefined;
  readonly lastSnapshot: SnapshotRecord | undefined;
  /** What is wrong with receiving or with the monitor; undefined when nothing is. */
  readonly ownError: string | undefined;
  /** `ownError`, else `snapshotError`. */
  readonly lastError: string | undefined;
  /** Why its source could not be read; until it can. */
  readonly snapshotError: string | undefined;
  /** Messages are pending and none has been settled for 15 s, or what is needed is out of reach. */
  readonly stalled: boolean;
}

export interface RunningConsumer {
  stats(): ConsumerStats;
  /** Takes a snapshot now. Undefined when the consumer has no source, or another replica is taking one. */
  resync(how?: SnapshotChoice): Promise<SnapshotReport | undefined>;
  /** Finishes the batch in hand, hands back what was prefetched, and takes no more. */
  stop(): Promise<void>;
}

/** A consumer that settles nothing for this long while messages are pending is stalled. */
const STALLED_MS = 15_000;

const attachAfter = backOff({ from: 200, to: 5_000 });

/** Starts at once, whatever is down: it waits for stream, durable and database, and says so in its stats. */
export function startConsumer(options: ConsumerOptions): RunningConsumer {
  const stopping = new AbortController();
  const consumer = assemble(options, stopping.signal);
  const { pool, broker, watchMs } = options;
  const monitored = monitor({
    pool,
    broker,
    plan: consumer.plan,
    signal: stopping.signal,
    pollMs: watchMs,
    state: () => consumer.state,
    onFinding: (finding) => react(consumer, finding),
    onTidy: () => tidy(pool, consumer.model, settledSeq(consumer)),
    onPolled: (failure) => {
      consumer.pollError = failure;
      if (failure !== undefined) consumer.logger.debug({ error: failure }, "a poll of the monitor failed");
    },
  });
  const ended = live(consumer);
  return {
    stats: () => describe(consumer),
    resync: (how) => consumer.resync.now(how),
    async stop() {
      stopping.abort();
      await ended;
      await monitored;
      await consumer.resync.idle();
    },
  };
}

/** Attaches, receives, and attaches again when what it was attached to is gone. */
async function live(consumer: Consumer): Promise<void> {
  const { signal, logger, receiver } = consumer;
  for (let failures = 0; !signal.aborted; failures += 1) {
    try {
      const epoch = await attach(consumer);
      failures = 0;
      const mustLeave = () =>
        consumer.state.kind === "leaving" ? LEAVE_TEXT[consumer.state.reason] : undefined;
      await receiver.receive({ epoch, mustLeave });
    } catch (error) {
      if (!signal.aborted) {
        consumer.receiveError = messageOf(error);
        const gone = error instanceof ConsumerGone;
        logger.warn(
          { error: consumer.receiveError },
          gone ? "the durable is gone" : "not consuming; trying again",
        );
      }
    } finally {
      consumer.state = detached(consumer.state);
    }
    await pause(attachAfter(failures), signal);
  }
  consumer.state = stopped(consumer.state);
}

function describe(consumer: Consumer): ConsumerStats {
  const { state, batch, options, pendingRetries, resync } = consumer;
  const durable = knownOf(state)?.durable;
  const connected = isAttached(state) && options.broker.connected();
  // What is unacknowledged failed, and is not due before its back-off has passed.
  const isIdle = durable === undefined || (durable.pending === 0 && durable.ackPending <= pendingRetries);
  const ownError = consumer.receiveError ?? consumer.pollError;
  const isStuck = isAttached(state) && !isIdle && Date.now() - state.progressAt > STALLED_MS;
  return {
    durable: consumer.plan.durable,
    connected,
    pending: durable?.pending,
    ackPending: durable?.ackPending,
    redelivered: durable?.redelivered,
    lagSeconds: connected ? lagOf(consumer.receiver.oldest()) : undefined,
    ...batch.tally,
    attemptsWaiting: pendingRetries,
    lastSnapshot: resync.last(),
    ownError,
    lastError: ownError ?? resync.lastError(),
    snapshotError: resync.lastError(),
    stalled: !connected || isStuck,
  };
}

/** What a replica knows of its subscription's lag: the age of the oldest message that it was given. `readLagSeconds` knows all of it. */
export function lagOf(oldest: Date | undefined): number {
  return oldest === undefined ? 0 : ageInSeconds(oldest);
}
