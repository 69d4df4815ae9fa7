import { startAckHeartbeat } from "../broker/ack-heartbeat.js";
import { type Broker, ConsumerGone, type ConsumerPlan, type Delivery } from "../broker/broker.js";
import { retryUntilAnswered, Stopped } from "../database/retry.js";
import type { FastPathBatch } from "../inbox/fast-path.js";
import { parseMessage } from "../inbox/parse.js";
import type { MeasuredBatch } from "../telemetry/meter.js";
import { type AtOnce, applyAtOnce, prepareBatch, processBatch } from "./batch.js";
import { type BatchContext, isSuspicious, type Received } from "./batch-context.js";
import type { Settled } from "./consumer-state.js";
import { type Flow, type Reception, readInFlight } from "./flow.js";
import { type PendingRetries, readPendingRetries } from "./retries.js";
import { readPosition } from "./stream-epoch.js";
import type { InFlight } from "./version-gap.js";

/*
 * Receives messages: while one batch is applied, the next is received and parsed. It is closed when it is full, or else when the one before is
 * through: a message that comes meanwhile waits for no other batch, and one that comes while none is under way waits for nothing. No
 * message is left unsettled: whatever ends it, the batch in hand is finished and the rest handed back.
 */

export interface ReceiverOptions {
  readonly broker: Broker;
  readonly plan: ConsumerPlan;
  readonly signal: AbortSignal;
  readonly batch: () => BatchContext;
  /** After each batch that was applied. */
  readonly onSettled: (batch: Settled, measured: Omit<MeasuredBatch, "consumer">) => void;
  /** Messages may be missing, and this is why: resolves once it is on record. */
  readonly onDoubt: (reason: string) => Promise<void>;
}

export interface Receiver {
  /** Receives until told to stop. Rejects with `ConsumerGone` when the durable, or the stream as it was, is no more. */
  receive(reception: Reception): Promise<void>;
  /** When the stream stored the oldest message that is outstanding here; undefined where none is. */
  oldest(): Date | undefined;
  /** What is in flight now, here and elsewhere. */
  inFlight(): Promise<InFlight>;
}

interface Batch {
  readonly received: readonly Received[];
  readonly deliveries: readonly Delivery[];
  readonly release: () => void;
  /** The usual batch: the one statement that applies it. */
  readonly prepared: FastPathBatch | undefined;
  /** Of any other. */
  readonly retries: Promise<PendingRetries> | undefined;
}

const WAIT_MS = 1_000;

/** Redeliver after 100 ms: we may be the only replica, and just restarting. */
const HAND_BACK_MS = 100;

/** Parsing holds the event loop; in slices of this many messages, the database's answers get in between. */
const SLICE = 128;

export function createReceiver(options: ReceiverOptions): Receiver {
  let flow: Flow | undefined;
  return {
    async receive(reception) {
      const { ackWaitSeconds } = options.plan;
      const { batch } = options.batch().model.delivery;
      const subscription = await options.broker.consume(options.plan, batch * 2);
      const heartbeat = startAckHeartbeat(ackWaitSeconds);
      const own: Flow = {
        ...reception,
        subscription,
        heartbeat,
        upcoming: [],
        current: [],
        firstDeliveries: new Map(),
        highest: 0,
        expectsRetries: false,
        underWay: 0,
        settled: Promise.resolve(),
        ended: false,
      };
      flow = own;
      try {
        await receiveAll(options, own);
      } finally {
        flow = undefined;
        heartbeat.stop();
      }
    },
    oldest: () => flow?.subscription.oldest?.(),
    inFlight: () => readInFlight(options, flow),
  };
}

async function receiveAll(options: ReceiverOptions, flow: Flow): Promise<void> {
  let next = takeBatch(options, flow, Promise.resolve());
  try {
    for (;;) {
      const batch = await next;
      if (options.signal.aborted) return;
      const reason = flow.mustLeave();
      if (reason !== undefined) throw new ConsumerGone(reason);
      const settledBefore = flow.settled;
      const applied = apply(options, flow, batch);
      next = takeBatch(options, flow, applied);
      // Awaited in the next turn; until then a failure must not count as unhandled.
      next.catch(() => undefined);
      await applied;
      await settledBefore;
    }
  } finally {
    flow.ended = true;
    flow.upcoming = [];
    await flow.settled.catch(() => undefined);
    await flow.subscription.stop();
    await next.then(handBack, () => undefined);
  }
}

/** `former`: ends when the batch before is applied, or has failed. */
async function takeBatch(options: ReceiverOptions, flow: Flow, former: Promise<unknown>): Promise<Batch> {
  const { signal } = options;
  const context = options.batch();
  const { model, pool } = context;
  const { batch: most } = model.delivery;
  const deliveries: Delivery[] = [];
  const received: Received[] = [];
  const take = async (waitMs: number) => {
    const taken = await flow.subscription.next(most - deliveries.length, waitMs);
    for (const delivery of taken) deliveries.push(delivery);
  };
  flow.upcoming = deliveries;
  while (deliveries.length === 0 && !flow.ended && !signal.aborted && flow.mustLeave() === undefined)
    await take(WAIT_MS);
  const release = flow.heartbeat.hold(deliveries);
  const isIdle = flow.underWay === 0;
  await parseNew(flow, { context, deliveries, received });
  if (!isIdle && deliveries.length > 0 && deliveries.length < most) {
    await former.catch(() => undefined);
    // A durable that is gone is met again by whoever takes the next batch.
    if (!flow.ended) await take(0).catch(() => undefined);
    await parseNew(flow, { context, deliveries, received });
  }
  const prepared = flow.expectsRetries ? undefined : prepareBatch(context, flow.epoch.offset, received);
  const retries =
    prepared === undefined
      ? retryUntilAnswered(context, () => readPendingRetries(pool, model.definition.durable))
      : undefined;
  // Awaited when the batch before is settled.
  retries?.catch(() => undefined);
  return { received, deliveries, release, prepared, retries };
}

interface Taken {
  readonly context: BatchContext;
  readonly deliveries: readonly Delivery[];
  readonly received: Received[];
}

/** What was taken and is not parsed yet. */
async function parseNew({ epoch, underWay }: Flow, { context, deliveries, received }: Taken): Promise<void> {
  while (received.length < deliveries.length) {
    // Also before the first slice: what is to be sent for the batch before goes first.
    if (underWay > 0 || received.length > 0) await new Promise((resolve) => setImmediate(resolve));
    for (const delivery of deliveries.slice(received.length, received.length + SLICE)) {
      const seq = epoch.offset + delivery.seq;
      const unread = isSuspicious(context, delivery, seq);
      received.push({
        delivery,
        seq,
        parsed: unread ? undefined : parseMessage(context.model, delivery, seq),
      });
    }
  }
}

function handBack({ deliveries, release }: Batch): void {
  for (const delivery of deliveries) delivery.nak(HAND_BACK_MS);
  release();
}

const NOT_TRIED: AtOnce = { outcome: "not-tried", settle: () => undefined };

/** Resolves when the batch is settled; one that was applied at once may be acknowledged a moment later, `flow.settled`. */
async function apply(options: ReceiverOptions, flow: Flow, batch: Batch): Promise<void> {
  const { received, deliveries, prepared } = batch;
  if (received.length === 0) return;
  flow.underWay += 1;
  const end = () => {
    batch.release();
    flow.underWay -= 1;
  };
  let release = end;
  try {
    await checkOrder(options, flow, deliveries);
    flow.current = deliveries;
    const context = options.batch();
    const started = performance.now();
    const note = noted(options, batch, started);
    const { outcome, settle } =
      prepared === undefined ? NOT_TRIED : await applyAtOnce(context, received, prepared);
    if (outcome === "applied") {
      release = () => undefined;
      flow.settled = soon(() => {
        settle();
        note();
        end();
      });
      return;
    }
    const retries = await (batch.retries ??
      retryUntilAnswered(context, () => readPendingRetries(context.pool, context.model.definition.durable)));
    checkOffset(options, flow, retries.offset);
    flow.expectsRetries = retries.bySeq.size > 0;
    const skipFastPath = outcome === "left-some-out" ? true : undefined;
    await processBatch({ ...context, skipFastPath }, received, retries.bySeq);
    note();
  } catch (error) {
    // Those that were settled stay settled; the rest comes again.
    handBack(batch);
    if (!(error instanceof Stopped)) throw error;
  } finally {
    release();
  }
}

/**
 * After what is about to be sent: the acks of a thousand messages take the process a millisecond, in which the database has the next
 * batch to work on.
 */
function soon(work: () => void): Promise<void> {
  const done = new Promise<void>((resolve) => setImmediate(resolve)).then(work);
  done.catch(() => undefined);
  return done;
}

/** Tells that the batch is settled, and how long that took. */
function noted({ onSettled }: ReceiverOptions, { received, deliveries }: Batch, started: number): () => void {
  return () => {
    const now = Date.now();
    const settled = {
      now,
      settledSeq: Math.max(...received.map(({ seq }) => seq)),
      deliveredSeq: Math.max(...deliveries.map(({ seq }) => seq)),
    };
    onSettled(settled, {
      seconds: (performance.now() - started) / 1000,
      delaySeconds: (now - oldestOf(deliveries).getTime()) / 1000,
    });
  };
}

/** A redelivered message may stand anywhere in a batch; the sequence tells its age without reading its time. */
function oldestOf(deliveries: readonly Delivery[]): Date {
  let [oldest] = deliveries;
  for (const delivery of deliveries) if (oldest === undefined || delivery.seq < oldest.seq) oldest = delivery;
  return oldest?.time ?? new Date();
}

/**
 * The client goes on with a stream that was deleted and created anew, and does not say so. First deliveries only
 * rise within one stream; where they do not, attach again.
 * Within one stream, a broker that was killed has lost the state of the durable, or the stream's tail with it, whose
 * sequences other messages may have by now: only the source can tell.
 */
async function checkOrder(
  { broker, plan, batch, onDoubt }: ReceiverOptions,
  flow: Flow,
  deliveries: readonly Delivery[],
): Promise<void> {
  const firsts = deliveries.filter((delivery) => delivery.deliveries === 1).map((delivery) => delivery.seq);
  const regressed = firsts.some((seq) => seq <= flow.highest);
  flow.highest = Math.max(flow.highest, ...firsts);
  if (!regressed) return;
  const position = await readPosition(broker, plan);
  if (position === undefined || position.created !== flow.epoch.streamCreated)
    throw new ConsumerGone(`stream ${plan.stream} was made anew`);
  if (position.lastSeq < flow.highest)
    throw new ConsumerGone(`stream ${plan.stream} has lost its newest messages`);
  const reason = `the durable went back from ${flow.highest}`;
  await retryUntilAnswered(batch(), () => onDoubt(reason));
  flow.highest = Math.max(0, ...firsts);
}

/** Another replica may have begun an epoch. `offset`: as the database says it now, for all replicas. */
function checkOffset({ plan }: ReceiverOptions, { epoch }: Flow, offset: number | undefined): void {
  if (offset !== epoch.offset)
    throw new ConsumerGone(`stream ${plan.stream} was made anew, another replica noticed`);
}
