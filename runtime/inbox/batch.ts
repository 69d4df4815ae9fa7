import type { Delivery } from "../broker/broker.js";
import type { Attempt, Standing } from "../consumer/retries.js";
import { HandlerFailed, hasState } from "../database/database-errors.js";
import type { Mutex } from "../database/mutex.js";
import { type RetryContext, retryUntilAnswered } from "../database/retry.js";
import { messageOf } from "../text/error-message.js";
import { type ApplyContext, applyBatch } from "./apply.js";
import { Early } from "./apply-errors.js";
import {
  attemptEvent,
  type CarefulContext,
  giveUp,
  putOff,
  rejectedLetter,
  waitsForOrder,
} from "./one-by-one.js";
import { type Addressed, addressOf, type Incoming, type Parsed, parseMessage } from "./parse.js";
import type { Predecessors } from "./version-gap.js";

export interface Received {
  readonly delivery: Delivery;
  /** Effective sequence. */
  readonly seq: number;
  /** Undefined where it was delivered suspiciously often: reading it may be what ends the process, so that is counted first. */
  readonly parsed: Parsed | undefined;
}

/** A message that is an event. */
export interface Due {
  readonly delivery: Delivery;
  readonly event: Incoming;
}

/** A message that is read once an attempt at it is on record. */
export interface Unread {
  readonly delivery: Delivery;
  readonly event: Addressed;
  readonly read: () => Parsed;
}

export function isUnread(one: Due | Unread): one is Unread {
  return "read" in one;
}

/** What is counted while the consumer runs. */
export interface Tally {
  applied: number;
  stale: number;
  deadLetters: number;
  /** Events that were applied one by one, and snapshots that met a value in the way: they may have left one parked. */
  clashes: number;
}

export interface BatchContext extends ApplyContext, RetryContext {
  readonly tally: Tally;
  /** Keeps a batch and a chunk of a snapshot of the same process from locking each other out. */
  readonly exclusively: Mutex;
  /** Rows were put down for the cascade worker, and are committed. */
  readonly onTasks: () => void;
  /** Entities of this process with an event that was just put off, and until when: `attempts` may have been read before. */
  readonly putOffUntil: Map<string, number>;
  /** Where it is missing, no event waits for those before it. */
  readonly predecessors?: Predecessors | undefined;
}

/** As many deliveries as it takes a process to die on one, twice: from then on each attempt is recorded before it is made. */
const SUSPICIOUS_DELIVERIES = 3;

/**
 * Settles every message of a batch: applied and acked, put off with a delay, or a dead letter.
 * Rejects only with `Stopped`; what is unsettled then is the caller's to hand back.
 */
export async function processBatch(
  context: BatchContext,
  batch: readonly Received[],
  attempts: Standing["attempts"],
): Promise<void> {
  const due: (Due | Unread)[] = [];
  for (const { delivery, seq, parsed } of batch) {
    if (parsed === undefined) due.push(unread(context, delivery, seq));
    else if (parsed.ok) due.push({ delivery, event: parsed.incoming });
    else await giveUp(context, delivery, rejectedLetter(delivery, seq, parsed.rejected));
  }
  if (due.length === 0) return;
  // A put-off message comes back late; within a batch the stream's order is restored.
  due.sort((a, b) => a.event.seq - b.event.seq);
  const { ready, careful } = sortOut(context, due, attempts);
  const blocked = new Map<string, number>();
  await applyInOrder({ ...context, blocked }, ready);
  for (const one of careful) await attemptEvent({ ...context, blocked }, one);
}

function unread({ model }: BatchContext, delivery: Delivery, seq: number): Unread {
  return { delivery, event: addressOf(delivery, seq), read: () => parseMessage(model, delivery, seq) };
}

interface Sorted {
  readonly ready: readonly Due[];
  /** One by one: they failed before, or were delivered suspiciously often. */
  readonly careful: readonly (Due | Unread)[];
}

/**
 * How long an event waits behind another at most before it is looked at again: an attempt that is being
 * made, here or by another replica, is on record as due after a whole ack wait, and mostly over in no time.
 */
const LOOK_AGAIN_MS = 1_000;

/** Puts off what is not due yet, and what waits behind an event of its entity that is not. */
function sortOut(
  context: BatchContext,
  due: readonly (Due | Unread)[],
  attempts: ReadonlyMap<number, Attempt>,
): Sorted {
  const now = Date.now();
  const blockers = earliestByEntity(context, attempts, now);
  for (const [id, until] of context.putOffUntil) if (until <= now) context.putOffUntil.delete(id);
  const here = new Set(due.map(({ event }) => event.seq));
  const suspects = new Set<string>();
  const ready: Due[] = [];
  const careful: (Due | Unread)[] = [];
  for (const one of due) {
    const { event } = one;
    const blocker = blockers.get(event.id);
    const waits = blocker !== undefined && blocker.seq <= event.seq;
    const until = context.putOffUntil.get(event.id) ?? 0;
    if (blocker === undefined && until > now) {
      putOff(context, one, until - now);
      continue;
    }
    if (waits && (blocker.dueAt > now || !here.has(blocker.seq))) {
      const dueInMs = Math.max(blocker.dueAt - now, 0);
      putOff(context, one, blocker.seq === event.seq ? dueInMs : Math.min(dueInMs, LOOK_AGAIN_MS));
    } else if (
      isUnread(one) ||
      waits ||
      suspects.has(event.id) ||
      isSuspicious(context, one.delivery, event.seq)
    ) {
      suspects.add(event.id);
      careful.push(one);
    } else ready.push(one);
  }
  return { ready, careful };
}

export function isSuspicious(
  { predecessors }: Pick<BatchContext, "predecessors">,
  { deliveries }: Delivery,
  seq: number,
): boolean {
  return deliveries - (predecessors?.timesPutOff(seq) ?? 0) >= SUSPICIOUS_DELIVERIES;
}

/** An attempt long overdue is of a message that no longer exists: it holds nobody up. */
function earliestByEntity(
  context: BatchContext,
  attempts: ReadonlyMap<number, Attempt>,
  now: number,
): ReadonlyMap<string, Attempt> {
  const { ackWaitSeconds, backoffSeconds } = context.model.definition.delivery;
  const graceMs = Math.max(60, 3 * ackWaitSeconds) * 1000;
  const longestMs = Math.max(ackWaitSeconds, ...backoffSeconds) * 1000;
  const blockers = new Map<string, Attempt>();
  for (const attempt of attempts.values()) {
    if (now > attempt.dueAt + graceMs || blockers.has(attempt.entityId)) continue;
    // Put off for longer than anything is: the database's clock was set back since, and it is due.
    const isBeyond = attempt.dueAt > now + longestMs + graceMs;
    blockers.set(attempt.entityId, isBeyond ? { ...attempt, dueAt: now } : attempt);
  }
  return blockers;
}

/**
 * As one batch; where that fails, in parts, each in stream order, until the event that fails stands
 * alone. The others of the batch cost a few more statements, not one each.
 */
async function applyInOrder(
  context: CarefulContext,
  events: readonly Due[],
  mayLeaveGap: ReadonlySet<number> = NONE,
): Promise<void> {
  const due = events.filter((one) => {
    const until = context.blocked.get(one.event.id);
    if (until !== undefined) putOff(context, one, until - Date.now());
    return until === undefined;
  });
  if (due.length === 0) return;
  const order = waitsForOrder(context) ? { mayLeaveGap } : {};
  try {
    const incoming = due.map(({ event }) => event);
    const applied = await retryUntilAnswered(context, () =>
      context.exclusively(() => applyBatch(context.pool, { ...context, ...order }, incoming)),
    );
    for (const { delivery } of due) delivery.ack();
    context.predecessors?.applied(incoming);
    context.tally.applied += applied.fresh;
    context.tally.stale += applied.stale;
    if (applied.tasks) context.onTasks();
  } catch (error) {
    if (error instanceof Early) await letWait(context, { due, early: error.events, mayLeaveGap });
    else await isolate(context, { due, error, mayLeaveGap });
  }
}

const NONE: ReadonlySet<number> = new Set();

interface Earliness {
  readonly due: readonly Due[];
  readonly early: readonly Incoming[];
  readonly mayLeaveGap: ReadonlySet<number>;
}

/** Puts off the events whose predecessors are still out, with those of their entities that follow; applies the rest. */
async function letWait(context: CarefulContext, { due, early, mayLeaveGap }: Earliness): Promise<void> {
  const delays = (await context.predecessors?.waits(early)) ?? new Map<number, number>();
  const firsts = new Map<string, Incoming>();
  for (const event of early) if (delays.has(event.seq) && !firsts.has(event.id)) firsts.set(event.id, event);
  const rest: Due[] = [];
  for (const one of due) {
    const first = firsts.get(one.event.id);
    if (first === undefined || precedes(one.event, first)) rest.push(one);
    else putOff(context, one, delays.get(first.seq) ?? 0);
  }
  const allowed = new Set([...mayLeaveGap, ...early.map(({ seq }) => seq)]);
  await applyInOrder(context, rest, allowed);
}

function precedes(event: Incoming, other: Incoming): boolean {
  return event.version === null || other.version === null
    ? event.seq < other.seq
    : event.version < other.version;
}

interface Failed {
  readonly due: readonly Due[];
  readonly error: unknown;
  readonly mayLeaveGap: ReadonlySet<number>;
}

async function isolate(context: CarefulContext, { due, error, mayLeaveGap }: Failed): Promise<void> {
  if (error instanceof Error && error.name === "Stopped") throw error;
  const [only] = due;
  if (due.length === 1 && only !== undefined) {
    // A clash is not a failure yet: on its own the event settles it. Nothing else is tried twice at once.
    return await attemptEvent(context, only, hasState(error, "unique_violation") ? undefined : { error });
  }
  context.logger.debug(
    { events: due.length, error: messageOf(error) },
    "a batch failed; applying it in parts",
  );
  for (const part of partsOf(due, error)) await applyInOrder(context, part, mayLeaveGap);
}

/** Around the event whose hook threw; in halves where the culprit is not known. */
function partsOf(due: readonly Due[], error: unknown): readonly (readonly Due[])[] {
  const culprit = error instanceof HandlerFailed ? due.findIndex(({ event }) => event.seq === error.seq) : -1;
  if (culprit >= 0) return [due.slice(0, culprit), due.slice(culprit, culprit + 1), due.slice(culprit + 1)];
  const middle = due.length >> 1;
  return [due.slice(0, middle), due.slice(middle)];
}
