import type { AckHeartbeat } from "../broker/ack-heartbeat.js";
import type { Broker, ConsumerPlan, ConsumerState, Delivery, PullSubscription } from "../broker/broker.js";
import { pause } from "../pause.js";
import { withoutAction } from "../subject.js";
import type { Epoch } from "./stream-epoch.js";
import type { InFlight } from "./version-gap.js";

/*
 * What is known of a reception while it lasts, and what of its messages is in flight.
 */

export interface Reception {
  readonly epoch: Epoch;
  /** Why receiving must end; undefined while it may go on. Polled once per second and before each batch. */
  readonly mustLeave: () => string | undefined;
}

/** One reception, from the first pull to the last. */
export interface Flow extends Reception {
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
  /** Another attempt at an event of the durable was due when that was last read: usual batches are not tried at once. */
  expectsRetries: boolean;
  /** Batches that are being applied, or whose acks are not sent yet. */
  underWay: number;
  /** The acks of the last batch that was applied at once are sent. */
  settled: Promise<void>;
  /** The subscription is being stopped: it answers at once and for ever with nothing, so nobody may wait for more. */
  ended: boolean;
}

/** Acks that were just sent are not counted yet: asked three times before a message counts as in flight elsewhere. */
const IN_FLIGHT_READS = 3;
const IN_FLIGHT_AGAIN_MS = 15;

export interface InFlightOptions {
  readonly broker: Broker;
  readonly plan: ConsumerPlan;
  readonly signal: AbortSignal;
}

/** What is in flight now, here and elsewhere. `flow`: undefined while nothing is received. */
export async function readInFlight(
  { broker, plan, signal }: InFlightOptions,
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
