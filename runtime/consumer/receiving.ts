import { type AckHeartbeat, startAckHeartbeat } from "../broker/ack-heartbeat.js";
import {
  type Broker,
  ConsumerGone,
  type ConsumerPlan,
  type ConsumerState,
  type Delivery,
  type PullSubscription,
} from "../broker/broker.js";
import { retryUntilAnswered, Stopped } from "../database/retry.js";
import { type FastPathBatch, prepareFastPath } from "../inbox/fast-path.js";
import { type Incoming, parseMessage } from "../inbox/parse.js";
import { pause } from "../pause.js";
import { withoutAction } from "../subject.js";
import type { MeasuredBatch } from "../telemetry/meter.js";
import { processBatch } from "./batch.js";
import { type BatchContext, isSuspicious, type Received } from "./batch-context.js";
import type { Settled } from "./consumer-state.js";
import { type PendingRetries, readPendingRetries } from "./retries.js";
import { type Epoch, readPosition } from "./stream-epoch.js";
import type { InFlight } from "./version-gap.js";

/*
 * Receives messages: while one batch is applied, the next is received and parsed. No message is left unsettled: whatever
 * ends it, the batch in hand is finished and the rest handed back.
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

export interface Reception {
  readonly epoch: Epoch;
  /** Why receiving must end; undefined while it may go on. Polled once per second and before each batch. */
  readonly mustLeave: () => string | undefined;
}

export interface Receiver {
  /** Receives until told to stop. Rejects with `ConsumerGone` when the durable, or the stream as it was, is no more. */
  receive(reception: Reception): Promise<void>;
  /** When the stream stored the oldest message that is outstanding here; undefined where none is. */
  oldest(): Date | undefined;
  /** What is in flight now, here and elsewhere. */
  inFlight(): Promise<InFlight>;
}

/** One reception, from the first pull to the last. */
interface Flow extends Reception {
  readonly subscription: PullSubscription;
  readonly heartbeat: AckHeartbeat;
  /** The batch that was received while the one before is applied. */
  upcoming: readonly Delivery[];
  /** The batch that is applied now. */
  current: readonly Delivery[];
  /** Sequences of messages that were delivered here first, by the number of that delivery: of those that came after a gap. */
  readonly firstDeliveries: Map<number, number>;
  /** Highest message sequence delivered for the first time; a lower one means a stream that started again. */
  highest: number;
  /** The subscription is being stopped: it answers at once and for ever with nothing, so nobody may wait for more. */
  ended: boolean;
}

interface Batch {
  readonly received: readonly Received[];
  readonly deliveries: readonly Delivery[];
  readonly release: () => void;
  readonly retries: Promise<PendingRetries>;
  readonly prepared: FastPathBatch | undefined;
}

const WAIT_MS = 1_000;

/** Redeliver after 100 ms: we may be the only replica, and just restarting. */
const HAND_BACK_MS = 100;

/** Parsing holds the event loop; in slices of this many messages, the database's answers get in between. */
const SLICE = 128;

/** Acks that were just sent are not counted yet: asked three times before a message counts as in flight elsewhere. */
const IN_FLIGHT_READS = 3;
const IN_FLIGHT_AGAIN_MS = 15;

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
  let next = takeBatch(options, flow);
  try {
    for (;;) {
      const batch = await next;
      if (options.signal.aborted) return;
      const reason = flow.mustLeave();
      if (reason !== undefined) throw new ConsumerGone(reason);
      next = takeBatch(options, flow);
      // Awaited in the next turn; until then a failure must not count as unhandled.
      next.catch(() => undefined);
      await apply(options, flow, batch);
    }
  } finally {
    flow.ended = true;
    flow.upcoming = [];
    await flow.subscription.stop();
    await next.then(handBack, () => undefined);
  }
}

async function takeBatch(options: ReceiverOptions, flow: Flow): Promise<Batch> {
  const { signal } = options;
  const context = options.batch();
  const { model, pool } = context;
  let deliveries: readonly Delivery[] = [];
  flow.upcoming = [];
  while (deliveries.length === 0 && !flow.ended && !signal.aborted && flow.mustLeave() === undefined) {
    deliveries = await flow.subscription.next(model.delivery.batch, WAIT_MS);
  }
  flow.upcoming = deliveries;
  const release = flow.heartbeat.hold(deliveries);
  // Asked while the batch before is applied and this one is parsed.
  const retries = retryUntilAnswered(context, () => readPendingRetries(pool, model.definition.durable));
  retries.catch(() => undefined);
  const received: Received[] = [];
  for (const [at, delivery] of deliveries.entries()) {
    if (at % SLICE === SLICE - 1) await new Promise((resolve) => setImmediate(resolve));
    const seq = flow.epoch.offset + delivery.seq;
    const unread = isSuspicious(context, delivery, seq);
    received.push({ delivery, seq, parsed: unread ? undefined : parseMessage(model, delivery, seq) });
  }
  return { received, deliveries, release, retries, prepared: prepareAll(context, received) };
}

/** Undefined where a message is no event, or the batch is more than one statement. */
function prepareAll(context: BatchContext, received: readonly Received[]): FastPathBatch | undefined {
  const events: Incoming[] = [];
  for (const { parsed } of received) {
    if (parsed?.ok !== true) return undefined;
    events.push(parsed.incoming);
  }
  return prepareFastPath(
    context,
    events.sort((a, b) => a.seq - b.seq),
  );
}

function handBack({ deliveries, release }: Batch): void {
  for (const delivery of deliveries) delivery.nak(HAND_BACK_MS);
  release();
}

async function apply(options: ReceiverOptions, flow: Flow, batch: Batch): Promise<void> {
  if (batch.received.length === 0) return;
  try {
    const retries = await batch.retries;
    await checkEpoch(options, flow, { deliveries: batch.deliveries, offset: retries.offset });
    flow.current = batch.deliveries;
    const context = { ...options.batch(), prepared: batch.prepared };
    const started = performance.now();
    await processBatch(context, batch.received, retries.bySeq);
    const now = Date.now();
    const settled = {
      now,
      settledSeq: Math.max(...batch.received.map(({ seq }) => seq)),
      deliveredSeq: Math.max(...batch.deliveries.map(({ seq }) => seq)),
    };
    options.onSettled(settled, {
      seconds: (performance.now() - started) / 1000,
      delaySeconds: (now - oldestOf(batch.deliveries).getTime()) / 1000,
    });
  } catch (error) {
    // Those that were settled stay settled; the rest comes again.
    handBack(batch);
    if (!(error instanceof Stopped)) throw error;
  } finally {
    batch.release();
  }
}

/** A redelivered message may stand anywhere in a batch; the sequence tells its age without reading its time. */
function oldestOf(deliveries: readonly Delivery[]): Date {
  let [oldest] = deliveries;
  for (const delivery of deliveries) if (oldest === undefined || delivery.seq < oldest.seq) oldest = delivery;
  return oldest?.time ?? new Date();
}

interface EpochCheck {
  readonly deliveries: readonly Delivery[];
  /** As the database says it now, for all replicas. */
  readonly offset: number | undefined;
}

/**
 * The client goes on with a stream that was deleted and created anew, and does not say so. First deliveries only
 * rise within one stream; where they do not, or where another replica has begun an epoch, attach again.
 * Within one stream, a broker that was killed has lost the state of the durable, or the stream's tail with it, whose
 * sequences other messages may have by now: only the source can tell.
 */
async function checkEpoch(
  { broker, plan, batch, onDoubt }: ReceiverOptions,
  flow: Flow,
  { deliveries, offset }: EpochCheck,
): Promise<void> {
  const firsts = deliveries.filter((delivery) => delivery.deliveries === 1).map((delivery) => delivery.seq);
  const regressed = firsts.some((seq) => seq <= flow.highest);
  flow.highest = Math.max(flow.highest, ...firsts);
  if (regressed) {
    const position = await readPosition(broker, plan);
    if (position === undefined || position.created !== flow.epoch.streamCreated)
      throw new ConsumerGone(`stream ${plan.stream} was made anew`);
    if (position.lastSeq < flow.highest)
      throw new ConsumerGone(`stream ${plan.stream} has lost its newest messages`);
    const reason = `the durable went back from ${flow.highest}`;
    await retryUntilAnswered(batch(), () => onDoubt(reason));
    flow.highest = Math.max(0, ...firsts);
  }
  if (offset !== flow.epoch.offset)
    throw new ConsumerGone(`stream ${plan.stream} was made anew, another replica noticed`);
}

async function readInFlight(
  { broker, plan, signal }: ReceiverOptions,
  flow: Flow | undefined,
): Promise<InFlight> {
  for (let read = 1; ; read += 1) {
    const state = await broker.consumerState(plan.stream, plan.durable).catch(() => undefined);
    // The broker is away, so nothing is known; nor can anything be settled until it is back.
    if (state === undefined) return { ackFloor: undefined, elsewhere: true, next: new Map() };
    const elsewhere = state.ackPending > (flow?.subscription.outstanding?.() ?? 0);
    const floor = flow === undefined ? state.ackFloor : settledUpTo(flow, state);
    const ackFloor = floor === undefined ? undefined : (flow?.epoch.offset ?? 0) + floor;
    if (!elsewhere || read === IN_FLIGHT_READS) return { ackFloor, elsewhere, next: firstByEntity(flow) };
    await pause(IN_FLIGHT_AGAIN_MS, signal);
  }
}

/** From so many on they are forgotten: a message that stands at the floor for long. */
const MANY_FIRST_DELIVERIES = 10_000;

/**
 * Between the floor that the broker tells and the lowest message in flight there may be others, that the durable does not read. Where
 * that message was delivered here first its number shows that it is the lowest: replicas would wait for each other in vain.
 */
function settledUpTo(flow: Flow, { ackFloor, ackFloorConsumerSeq }: ConsumerState): number | undefined {
  if (ackFloor === undefined || ackFloorConsumerSeq === undefined) return ackFloor;
  const { firstDeliveries } = flow;
  if (firstDeliveries.size > MANY_FIRST_DELIVERIES) firstDeliveries.clear();
  for (const { seq, consumerSeq, deliveries } of flow.current)
    if (deliveries === 1 && consumerSeq !== undefined) firstDeliveries.set(consumerSeq, seq);
  for (const number of firstDeliveries.keys())
    if (number <= ackFloorConsumerSeq) firstDeliveries.delete(number);
  const lowest = firstDeliveries.get(ackFloorConsumerSeq + 1);
  return lowest === undefined ? ackFloor : Math.max(ackFloor, lowest - 1);
}

/** Of what this process takes next, the lowest effective sequence of each entity, by subject without its action. */
function firstByEntity(flow: Flow | undefined): ReadonlyMap<string, number> {
  const firsts = new Map<string, number>();
  if (flow === undefined) return firsts;
  for (const { subject, seq } of [...flow.upcoming, ...flow.subscription.buffered()]) {
    const entity = withoutAction(subject);
    const known = firsts.get(entity) ?? Number.POSITIVE_INFINITY;
    firsts.set(entity, Math.min(known, flow.epoch.offset + seq));
  }
  return firsts;
}
