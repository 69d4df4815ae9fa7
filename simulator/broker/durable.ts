import type { ConsumerPlan, ConsumerState } from "@meshwright/runtime";
import { matches } from "@meshwright/runtime/simulation";
import type { Adversary, DueMessage } from "./adversary.js";
import type { Entry, SimulatedStream } from "./stream.js";

/*
 * A durable consumer: deliver all, explicit ack, unlimited deliveries. As in JetStream a message is
 * settled by its sequence, whichever of its deliveries the answer belongs to.
 */

/** How many messages beyond a pull's limit the adversary may choose from. */
const LOOKAHEAD = 64;

export interface SimulatedDurable {
  readonly created: string;
  plan: ConsumerPlan;
  readonly stream: SimulatedStream;
  /** Sequence of the newest message delivered. */
  lastDelivered: number;
  ackFloor: number;
  /** Sequences below `lastDelivered` that were never delivered: the adversary left them out. */
  readonly skipped: Set<number>;
  /** By sequence: delivered and not settled, with the time (ms) of redelivery. */
  readonly inFlight: Map<number, number>;
  /** By sequence: number of deliveries, also of settled messages. */
  readonly deliveries: Map<number, number>;
  /** To be redelivered even if settled. */
  readonly repeats: Set<number>;
  /** To be added to `repeats` at their first delivery. */
  readonly duplicates: Set<number>;
}

export function createDurable(
  plan: ConsumerPlan,
  stream: SimulatedStream,
  created: string,
): SimulatedDurable {
  const before = Math.max(0, stream.firstSeq - 1);
  return {
    created,
    plan,
    stream,
    lastDelivered: before,
    ackFloor: before,
    skipped: new Set(),
    inFlight: new Map(),
    deliveries: new Map(),
    repeats: new Set(),
    duplicates: new Set(),
  };
}

export function stateOf(durable: SimulatedDurable): ConsumerState {
  const { stream, inFlight, repeats, deliveries } = durable;
  const out = new Set([...inFlight.keys(), ...repeats]);
  let pending = durable.skipped.size;
  for (const entry of stream.messages.values()) if (isNew(durable, entry)) pending += 1;
  return {
    pending,
    ackPending: out.size,
    redelivered: [...out].filter((seq) => (deliveries.get(seq) ?? 0) > 1).length,
    created: durable.created,
    lastDelivered: durable.lastDelivered,
    ackFloor: durable.ackFloor,
  };
}

export function reads({ plan }: SimulatedDurable, subject: string): boolean {
  return matches(plan.filter, subject);
}

function isNew({ plan, lastDelivered }: SimulatedDurable, { seq, subject }: Entry): boolean {
  return seq > lastDelivered && matches(plan.filter, subject);
}

export interface Taken {
  readonly entry: Entry;
  readonly deliveries: number;
}

export interface Pulled {
  readonly taken: readonly Taken[];
  /** Some messages that are due were not given. */
  readonly more: boolean;
}

/** Up to `max` messages that are due, as the adversary picks them. */
export function take(durable: SimulatedDurable, max: number, adversary: Adversary): Pulled {
  const due = dueNow(durable, max + LOOKAHEAD);
  if (due.length === 0 || max <= 0) return { taken: [], more: due.length > 0 };
  const picked = checked(adversary.pick(due.map(describe(durable)), max), due.length, max);
  const taken = picked.flatMap((index) => {
    const entry = due[index];
    return entry ? [deliver(durable, entry)] : [];
  });
  return { taken, more: taken.length < due.length || durable.repeats.size > 0 };
}

function describe({ deliveries }: SimulatedDurable): (entry: Entry) => DueMessage {
  return ({ seq, subject }) => ({ seq, subject, deliveries: deliveries.get(seq) ?? 0 });
}

/** Redeliveries by sequence, then new messages up to `max_ack_pending`. */
function dueNow(durable: SimulatedDurable, limit: number): readonly Entry[] {
  const { stream, inFlight, repeats, skipped, plan } = durable;
  const now = Date.now();
  const again = new Set(repeats);
  for (const [seq, dueAt] of inFlight) if (dueAt <= now) again.add(seq);
  const due = [...again].sort((a, b) => a - b);
  let room = Math.min(plan.maxAckPending - inFlight.size, limit - due.length);
  for (const seq of [...skipped].sort((a, b) => a - b)) {
    if (room <= 0) break;
    due.push(seq);
    room -= 1;
  }
  for (const entry of stream.messages.values()) {
    if (room <= 0) break;
    if (!isNew(durable, entry)) continue;
    due.push(entry.seq);
    room -= 1;
  }
  return due.flatMap((seq) => stream.messages.get(seq) ?? []);
}

/** An invalid pick is a mistake in the simulator. */
function checked(indexes: readonly number[], length: number, max: number): readonly number[] {
  const wrong = indexes.find((index) => !Number.isInteger(index) || index < 0 || index >= length);
  if (wrong !== undefined) throw new RangeError(`the adversary picked index ${wrong} of ${length}`);
  if (indexes.length > max || new Set(indexes).size < indexes.length) {
    throw new RangeError(`the adversary picked ${indexes.length} indexes, some twice or beyond ${max}`);
  }
  return indexes;
}

function deliver(durable: SimulatedDurable, entry: Entry): Taken {
  const { seq } = entry;
  const before = durable.deliveries.get(seq) ?? 0;
  durable.repeats.delete(seq);
  durable.skipped.delete(seq);
  if (before === 0 && durable.duplicates.delete(seq)) durable.repeats.add(seq);
  if (seq > durable.lastDelivered) {
    for (const other of durable.stream.messages.values()) {
      if (other.seq < seq && isNew(durable, other)) durable.skipped.add(other.seq);
    }
    durable.lastDelivered = seq;
  }
  durable.deliveries.set(seq, before + 1);
  durable.inFlight.set(seq, Date.now() + durable.plan.ackWaitSeconds * 1_000);
  durable.ackFloor = Math.min(durable.ackFloor, seq - 1);
  return { entry, deliveries: before + 1 };
}

/** True when there was something to settle. */
export function settle(durable: SimulatedDurable, seq: number): boolean {
  const found = durable.inFlight.delete(seq);
  if (found) raiseFloor(durable);
  return found;
}

/** Redelivers after the delay. False when it is not in flight. */
export function postpone(durable: SimulatedDurable, seq: number, delayMs: number): boolean {
  if (!durable.inFlight.has(seq)) return false;
  durable.inFlight.set(seq, Date.now() + delayMs);
  return true;
}

/** Redelivers a settled message. False when it is not there, was never delivered, or is in flight. */
export function repeat(durable: SimulatedDurable, seq: number): boolean {
  const { stream, deliveries, inFlight, repeats } = durable;
  if (!stream.messages.has(seq) || !deliveries.has(seq) || inFlight.has(seq)) return false;
  repeats.add(seq);
  durable.ackFloor = Math.min(durable.ackFloor, seq - 1);
  return true;
}

/** Moves the ack floor as JetStream does: when a message is settled, to just before the oldest that is not. */
function raiseFloor(durable: SimulatedDurable): void {
  const open = [...durable.inFlight.keys(), ...durable.repeats, ...durable.skipped];
  const upTo = open.reduce((lowest, seq) => Math.min(lowest, seq - 1), durable.lastDelivered);
  durable.ackFloor = Math.max(durable.ackFloor, upTo);
}

/** The stream has removed these messages: they are neither delivered nor awaited any more. */
export function forget(durable: SimulatedDurable, seqs: readonly number[]): void {
  for (const seq of seqs) {
    durable.inFlight.delete(seq);
    durable.repeats.delete(seq);
    durable.duplicates.delete(seq);
    durable.skipped.delete(seq);
    durable.deliveries.delete(seq);
  }
  if (seqs.length > 0) raiseFloor(durable);
}

/** The stream was purged: the next message is the first. */
export function moveToEnd(durable: SimulatedDurable): void {
  durable.lastDelivered = durable.stream.lastSeq;
  durable.ackFloor = durable.stream.lastSeq;
}

/** The stream lost its tail: the consumer's position cannot be past the stream's end. */
export function clampToEnd(durable: SimulatedDurable): void {
  durable.lastDelivered = Math.min(durable.lastDelivered, durable.stream.lastSeq);
  durable.ackFloor = Math.min(durable.ackFloor, durable.stream.lastSeq);
}

/** As many are in flight as `max_ack_pending` allows: nothing new is due until one is settled. */
export function isFull({ inFlight, plan }: SimulatedDurable): boolean {
  return inFlight.size >= plan.maxAckPending;
}
