import type { ConsumerPlan, ConsumerState } from "../../runtime/broker/broker.js";
import { matches } from "../../runtime/subject.js";
import type { Adversary, DueMessage } from "./adversary.js";
import type { Entry, SimulatedStream } from "./stream.js";

/*
 * A durable consumer: deliver all, explicit ack, unlimited deliveries. As in JetStream a message is
 * settled by its sequence, whichever of its deliveries the answer belongs to.
 */

/** Messages beyond what a pull may get that the adversary sees, and so may put first. */
const LOOKAHEAD = 64;

export interface SimulatedDurable {
  readonly created: string;
  plan: ConsumerPlan;
  readonly stream: SimulatedStream;
  /** Newest message delivered. */
  lastDelivered: number;
  ackFloor: number;
  /** Older than the newest delivered, and never delivered: the adversary's gaps. */
  readonly skipped: Set<number>;
  /** On loan, by sequence: when it is due again. */
  readonly onLoan: Map<number, number>;
  /** How often each message was delivered, settled ones included. */
  readonly deliveries: Map<number, number>;
  /** To be delivered once more whether it is acked or not. */
  readonly owed: Set<number>;
  /** Owed as soon as they were delivered for the first time. */
  readonly twice: Set<number>;
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
    onLoan: new Map(),
    deliveries: new Map(),
    owed: new Set(),
    twice: new Set(),
  };
}

export function stateOf(durable: SimulatedDurable): ConsumerState {
  const { stream, onLoan, owed, deliveries } = durable;
  const out = new Set([...onLoan.keys(), ...owed]);
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
  /** Something that was due stayed with the server. */
  readonly more: boolean;
}

/** Up to `max` of what is due, as the adversary picks it. */
export function take(durable: SimulatedDurable, max: number, adversary: Adversary): Pulled {
  const due = dueNow(durable, max + LOOKAHEAD);
  if (due.length === 0 || max <= 0) return { taken: [], more: due.length > 0 };
  const picked = checked(adversary.pick(due.map(describe(durable)), max), due.length, max);
  const taken = picked.flatMap((place) => {
    const entry = due[place];
    return entry ? [lend(durable, entry)] : [];
  });
  return { taken, more: taken.length < due.length || durable.owed.size > 0 };
}

function describe({ deliveries }: SimulatedDurable): (entry: Entry) => DueMessage {
  return ({ seq, subject }) => ({ seq, subject, deliveries: deliveries.get(seq) ?? 0 });
}

/** Those that come again first, by sequence; then new ones, as many as may be on loan. */
function dueNow(durable: SimulatedDurable, limit: number): readonly Entry[] {
  const { stream, onLoan, owed, skipped, plan } = durable;
  const now = Date.now();
  const again = new Set(owed);
  for (const [seq, dueAt] of onLoan) if (dueAt <= now) again.add(seq);
  const due = [...again].sort((a, b) => a - b);
  let room = Math.min(plan.maxAckPending - onLoan.size, limit - due.length);
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

/** A wrong pick is the simulator's mistake: better no run than one that means nothing. */
function checked(places: readonly number[], length: number, max: number): readonly number[] {
  const wrong = places.find((place) => !Number.isInteger(place) || place < 0 || place >= length);
  if (wrong !== undefined) throw new RangeError(`the adversary picked place ${wrong} of ${length}`);
  if (places.length > max || new Set(places).size < places.length) {
    throw new RangeError(`the adversary picked ${places.length} places, some twice or beyond ${max}`);
  }
  return places;
}

function lend(durable: SimulatedDurable, entry: Entry): Taken {
  const { seq } = entry;
  const before = durable.deliveries.get(seq) ?? 0;
  durable.owed.delete(seq);
  durable.skipped.delete(seq);
  if (before === 0 && durable.twice.delete(seq)) durable.owed.add(seq);
  if (seq > durable.lastDelivered) {
    for (const other of durable.stream.messages.values()) {
      if (other.seq < seq && isNew(durable, other)) durable.skipped.add(other.seq);
    }
    durable.lastDelivered = seq;
  }
  durable.deliveries.set(seq, before + 1);
  durable.onLoan.set(seq, Date.now() + durable.plan.ackWaitSeconds * 1_000);
  durable.ackFloor = Math.min(durable.ackFloor, seq - 1);
  return { entry, deliveries: before + 1 };
}

/** True when there was something to settle. */
export function settle(durable: SimulatedDurable, seq: number): boolean {
  const was = durable.onLoan.delete(seq);
  if (was) raiseFloor(durable);
  return was;
}

/** Due again after the delay. False when it is not on loan. */
export function postpone(durable: SimulatedDurable, seq: number, delayMs: number): boolean {
  if (!durable.onLoan.has(seq)) return false;
  durable.onLoan.set(seq, Date.now() + delayMs);
  return true;
}

/** Delivered once more though it was settled. False when it is not there, was never delivered, or is on loan anyway. */
export function owe(durable: SimulatedDurable, seq: number): boolean {
  const { stream, deliveries, onLoan, owed } = durable;
  if (!stream.messages.has(seq) || !deliveries.has(seq) || onLoan.has(seq)) return false;
  owed.add(seq);
  durable.ackFloor = Math.min(durable.ackFloor, seq - 1);
  return true;
}

/** As JetStream moves it: only when something is settled, to the message before the oldest that is not. */
function raiseFloor(durable: SimulatedDurable): void {
  const open = [...durable.onLoan.keys(), ...durable.owed, ...durable.skipped];
  const upTo = open.reduce((lowest, seq) => Math.min(lowest, seq - 1), durable.lastDelivered);
  durable.ackFloor = Math.max(durable.ackFloor, upTo);
}

/** The stream has them no more: nothing of them is delivered, or waited for. */
export function forget(durable: SimulatedDurable, seqs: readonly number[]): void {
  for (const seq of seqs) {
    durable.onLoan.delete(seq);
    durable.owed.delete(seq);
    durable.twice.delete(seq);
    durable.skipped.delete(seq);
    durable.deliveries.delete(seq);
  }
  if (seqs.length > 0) raiseFloor(durable);
}

/** Its stream was purged: there is nothing before the next message. */
export function moveToEnd(durable: SimulatedDurable): void {
  durable.lastDelivered = durable.stream.lastSeq;
  durable.ackFloor = durable.stream.lastSeq;
}

/** Its stream fell back to an earlier end; its own place cannot be beyond that. */
export function fallBack(durable: SimulatedDurable): void {
  durable.lastDelivered = Math.min(durable.lastDelivered, durable.stream.lastSeq);
  durable.ackFloor = Math.min(durable.ackFloor, durable.stream.lastSeq);
}

/** As many on loan as may be: nothing new is due until one of them is settled. */
export function isFull({ onLoan, plan }: SimulatedDurable): boolean {
  return onLoan.size >= plan.maxAckPending;
}
