import type { Pool } from "pg";
import { backOff } from "../back-off.js";
import {
  type Broker,
  ConsumerGone,
  type ConsumerPlan,
  type ConsumerState,
  type Delivery,
  DurablePastEnd,
  type PullSubscription,
} from "../broker/broker.js";
import { createMutex } from "../database/mutex.js";
import { retryUntilAnswered } from "../database/retry.js";
import type { ConsumerDefinition, Logger } from "../definition.js";
import type { BatchContext, Tally } from "../inbox/batch.js";
import { buildModel, type ConsumerModel } from "../inbox/consumer-model.js";
import { createNewcomers } from "../inbox/insert-throttle.js";
import { createPredecessors } from "../inbox/version-gap.js";
import { pause } from "../pause.js";
import { createResync, type Resync, type SnapshotChoice } from "../resync/resync.js";
import type { SnapshotReport } from "../resync/snapshot.js";
import { messageOf } from "../text/error-message.js";
import type { Sight } from "./message-loss.js";
import { startWatch } from "./monitor.js";
import { consumeWhile, countOnLoan } from "./receiving.js";
import { distrustVersions, type Era, enterEra, type SnapshotRecord, tidy } from "./stream-epoch.js";

export interface ConsumerOptions {
  readonly pool: Pool;
  readonly broker: Broker;
  readonly definition: ConsumerDefinition;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  /** Rows were put down for the cascade worker, and are committed: its `wake`. */
  readonly onTasks?: () => void;
  /** How often the durable is looked after; 3 000. */
  readonly watchMs?: number;
  /** How long a hook may take; 60 000. */
  readonly hookTimeoutMs?: number;
}

export interface ConsumerStats {
  readonly durable: string;
  /** The durable exists and messages are being taken. */
  readonly connected: boolean;
  readonly pending: number | undefined;
  readonly ackPending: number | undefined;
  /** Delivered more than once, and not acked yet. */
  readonly redelivered: number | undefined;
  /** Since the start: fresh events applied, stale ones passed over, messages given up. */
  readonly applied: number;
  readonly stale: number;
  readonly deadLetters: number;
  /** Events of this durable that failed and are due again. */
  readonly attemptsWaiting: number;
  readonly lastSnapshot: SnapshotRecord | undefined;
  readonly lastError: string | undefined;
  /** Why its source could not be read; until it can. */
  readonly snapshotError: string | undefined;
  /** Messages are pending and none has been settled for a while, or what is needed is out of reach. */
  readonly stalled: boolean;
}

export interface RunningConsumer {
  stats(): ConsumerStats;
  /** Takes a snapshot now. Undefined when the consumer has no source, or another replica is taking one. */
  resync(how?: SnapshotChoice): Promise<SnapshotReport | undefined>;
  /** Finishes the batch in hand, hands back what was prefetched, and takes no more. */
  stop(): Promise<void>;
}

/** What the parts of one running consumer share. */
export interface Running {
  readonly options: ConsumerOptions;
  readonly model: ConsumerModel;
  readonly plan: ConsumerPlan;
  readonly stopping: AbortController;
  readonly tally: Tally;
  readonly resync: Resync;
  readonly batch: BatchContext;
  /** Undefined while nothing is taken. */
  intake: PullSubscription | undefined;
  /** The batch that was taken while the one before is applied. */
  upcoming: readonly Delivery[];
  /** Of the stream being read; undefined between streams. */
  era: Era | undefined;
  attached: boolean;
  /** Why to attach again, once somebody has noticed. */
  lost: string | undefined;
  state: ConsumerState | undefined;
  /** At the watch's last look; undefined before the first. */
  sight: Sight | undefined;
  /** Message sequence of the newest delivery from the stream as it is now: it may have lost that since the last look. */
  deliveredSeq: number;
  /** When messages were last found lost. */
  lossAt: number;
  /** The broker at the watch's last look. */
  instance: string | undefined;
  instanceAt: number;
  /** At the watch's last look replicas of another release were at work. */
  otherRelease: boolean;
  attemptsWaiting: number;
  lastError: string | undefined;
  lastSeq: number;
  lastProgress: number;
}

/** A consumer that settles nothing for this long while messages are pending is stalled. */
const STALLED_MS = 15_000;

/** Starts at once, whatever is down: it waits for stream, durable and database, and says so in its stats. */
export function startConsumer(options: ConsumerOptions): RunningConsumer {
  const running = assemble(options);
  const watch = startWatch(running);
  const ended = live(running);
  return {
    stats: () => describe(running),
    resync: (how) => running.resync.now(how),
    async stop() {
      running.stopping.abort();
      await ended;
      await watch.stop();
      await running.resync.idle();
    },
  };
}

function assemble(options: ConsumerOptions): Running {
  const model = buildModel(options.definition);
  const { durable, stream, filter, delivery } = options.definition;
  const logger = options.logger.child({ durable });
  const stopping = new AbortController();
  const { signal } = stopping;
  const tally: Tally = { applied: 0, stale: 0, deadLetters: 0, clashes: 0 };
  const exclusively = createMutex();
  const onTasks = options.onTasks ?? (() => undefined);
  const onTrouble = (error: string | undefined) => {
    if (error !== undefined) logger.warn({ error }, "the batch in hand is held and tried again");
    running.lastError = error;
  };
  const plan: ConsumerPlan = {
    stream: stream.name,
    durable,
    filter,
    ackWaitSeconds: delivery.ackWaitSeconds,
    maxAckPending: delivery.maxAckPending,
  };
  const predecessors = createPredecessors({
    onLoan: () => countOnLoan(running),
    ackWaitSeconds: delivery.ackWaitSeconds,
  });
  const running: Running = {
    options: { ...options, logger },
    model,
    plan,
    stopping,
    tally,
    resync: createResync({
      ...options,
      logger,
      model,
      plan,
      signal,
      onTasks,
      onClash: () => {
        tally.clashes += 1;
      },
      exclusively,
      era: () => running.era,
    }),
    batch: {
      model,
      logger,
      origin: "event",
      newcomers: createNewcomers(),
      pool: options.pool,
      tally,
      onTasks,
      onTrouble,
      exclusively,
      signal,
      hookTimeoutMs: options.hookTimeoutMs,
      putOffUntil: new Map(),
      predecessors,
    },
    intake: undefined,
    upcoming: [],
    era: undefined,
    attached: false,
    lost: undefined,
    state: undefined,
    sight: undefined,
    deliveredSeq: 0,
    lossAt: 0,
    instance: undefined,
    instanceAt: 0,
    otherRelease: false,
    attemptsWaiting: 0,
    lastError: undefined,
    lastSeq: 0,
    lastProgress: Date.now(),
  };
  return running;
}

const attachAfter = backOff({ from: 200, to: 5_000 });

/** Attaches, consumes, and attaches again when what it was attached to is gone. */
async function live(running: Running): Promise<void> {
  const { stopping, options } = running;
  for (let failures = 0; !stopping.signal.aborted; failures += 1) {
    try {
      await attach(running);
      failures = 0;
      await consumeWhile(running);
    } catch (error) {
      if (stopping.signal.aborted) return;
      running.lastError = messageOf(error);
      const gone = error instanceof ConsumerGone;
      options.logger.warn(
        { error: running.lastError },
        gone ? "the durable is gone" : "not consuming; trying again",
      );
    } finally {
      running.attached = false;
    }
    await pause(attachAfter(failures), stopping.signal);
  }
}

/** The durable first: from then on nothing is missed, and a snapshot covers what was before. */
async function attach(running: Running): Promise<void> {
  const { options, model, plan } = running;
  const { broker, pool, logger } = options;
  // Undefined where it is missing or may not be asked about; the durable tells which.
  await broker.ensureStream(model.definition.stream);
  const { created, state } = await ensureDurable(running);
  const first = running.era === undefined;
  // By a provisioner, where this user may not: to us it then is there, not created.
  const madeAnew = running.state !== undefined && running.state.created !== state.created;
  // Of what came before this, the durable may have passed over some.
  const wasLost = running.lost !== undefined;
  const era = await retryUntilAnswered(running.batch, () => enterEra(pool, model, { broker, plan }));
  if (era === undefined) throw new Error(`stream ${plan.stream} does not exist yet`);
  if (first && (await retryUntilAnswered(running.batch, () => distrustVersions(pool, model))) > 0)
    logger.warn(
      {},
      "away for longer than its owner remembers deletions: versions that are known here count no more",
    );
  running.era = era;
  running.state = state;
  running.lastError = undefined;
  running.lost = undefined;
  // Whoever ran before may have left a value parked.
  if (first) running.tally.clashes += 1;
  // What was seen was of the stream as it was, and of a durable that may have been made anew.
  if (wasLost) running.sight = undefined;
  if (wasLost || era.begun) running.deliveredSeq = 0;
  running.attached = true;
  running.lastProgress = Date.now();
  if (era.begun)
    logger.warn({ base: era.base }, "another stream, or a shortened one: its sequences get a new base");
  // At the start too: the service may have been away for longer than the stream keeps its messages.
  if (created || madeAnew || wasLost || era.begun || first) running.resync.want();
  await tidy(pool, model, running.lastSeq);
}

const AHEAD = "its durable is ahead of its stream";

/** A durable that delivers nothing, and that only somebody else may mend, does not keep the source from being asked. */
async function ensureDurable(running: Running) {
  const { options, model, plan } = running;
  const { broker, pool } = options;
  try {
    return await broker.ensureConsumer(plan);
  } catch (error) {
    if (error instanceof DurablePastEnd && running.lost !== AHEAD) {
      const era = await retryUntilAnswered(running.batch, () => enterEra(pool, model, { broker, plan }));
      running.era = era ?? running.era;
      running.lost = AHEAD;
      running.resync.want();
    }
    throw error;
  }
}

/** Nothing is to be done now: what is unacknowledged failed, and is not due again before its backoff has passed. */
function isIdle(state: ConsumerState | undefined, attemptsWaiting: number): boolean {
  return state === undefined || (state.pending === 0 && state.ackPending <= attemptsWaiting);
}

function describe(running: Running): ConsumerStats {
  const { tally, state, attached, options, lastError, lastProgress, attemptsWaiting } = running;
  const connected = attached && options.broker.connected();
  return {
    durable: running.plan.durable,
    connected,
    pending: state?.pending,
    ackPending: state?.ackPending,
    redelivered: state?.redelivered,
    applied: tally.applied,
    stale: tally.stale,
    deadLetters: tally.deadLetters,
    attemptsWaiting,
    lastSnapshot: running.resync.last(),
    lastError: lastError ?? running.resync.lastError(),
    snapshotError: running.resync.lastError(),
    stalled: !connected || (!isIdle(state, attemptsWaiting) && Date.now() - lastProgress > STALLED_MS),
  };
}
