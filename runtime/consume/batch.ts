import type { Delivery } from "../broker/broker.js";
import { type ApplyContext, applyBatch } from "./apply.js";
import type { Attempt, Standing } from "./attempts.js";
import { attemptEvent, type CarefulContext, giveUp, putOff } from "./careful.js";
import { HandlerFailed, isUniqueClash, messageOf } from "./faults.js";
import type { Lane } from "./lane.js";
import type { Incoming, Parsed, Rejected } from "./parse.js";
import { type Persistence, persistently } from "./persist.js";

export interface Received {
  readonly delivery: Delivery;
  /** Effective sequence. */
  readonly seq: number;
  readonly parsed: Parsed;
}

/** A message that is an event. */
export interface Due {
  readonly delivery: Delivery;
  readonly event: Incoming;
}

/** What is counted while the consumer runs. */
export interface Tally {
  applied: number;
  stale: number;
  deadLetters: number;
  /** Events that were applied one by one: they may have left a value parked. */
  clashes: number;
}

export interface BatchContext extends ApplyContext, Persistence {
  readonly tally: Tally;
  /** Keeps a batch and a chunk of a snapshot of the same process from locking each other out. */
  readonly exclusively: Lane;
  /** Rows were put down for the cascade worker, and are committed. */
  readonly onTasks: () => void;
  /** Entities of this process with an event that was just put off, and until when: `attempts` may have been read before. */
  readonly putOffUntil: Map<string, number>;
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
  const due: Due[] = [];
  for (const received of batch) {
    if (received.parsed.ok) due.push({ delivery: received.delivery, event: received.parsed.incoming });
    else await reject(context, received, received.parsed.rejected);
  }
  if (due.length === 0) return;
  // A put-off message comes back late; within a batch the stream's order is restored.
  due.sort((a, b) => a.event.seq - b.event.seq);
  const { ready, careful } = sortOut(context, due, attempts);
  const blocked = new Map<string, number>();
  await applyInOrder({ ...context, blocked }, ready);
  for (const one of careful) await attemptEvent({ ...context, blocked }, one);
}

async function reject(context: BatchContext, { delivery, seq }: Received, rejected: Rejected): Promise<void> {
  const letter = { message: delivery, seq, error: rejected.reason, attempts: 0, entityId: rejected.entityId };
  await giveUp(context, delivery, letter);
}

interface Sorted {
  readonly ready: readonly Due[];
  /** One by one: they failed before, or were delivered suspiciously often. */
  readonly careful: readonly Due[];
}

/**
 * How long an event waits behind another at most before it is looked at again: an attempt that is being
 * made, here or by another replica, is on record as due after a whole ack wait, and mostly over in no time.
 */
const LOOK_AGAIN_MS = 1_000;

/** Puts off what is not due yet, and what waits behind an event of its entity that is not. */
function sortOut(context: BatchContext, due: readonly Due[], attempts: ReadonlyMap<number, Attempt>): Sorted {
  const now = Date.now();
  const blockers = earliestByEntity(context, attempts, now);
  for (const [id, until] of context.putOffUntil) if (until <= now) context.putOffUntil.delete(id);
  const here = new Set(due.map(({ event }) => event.seq));
  const suspects = new Set<string>();
  const ready: Due[] = [];
  const careful: Due[] = [];
  for (const one of due) {
    const { event, delivery } = one;
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
    } else if (waits || suspects.has(event.id) || delivery.deliveries >= SUSPICIOUS_DELIVERIES) {
      suspects.add(event.id);
      careful.push(one);
    } else ready.push(one);
  }
  return { ready, careful };
}

/** An attempt long overdue is of a message that no longer exists: it holds nobody up. */
function earliestByEntity(
  context: BatchContext,
  attempts: ReadonlyMap<number, Attempt>,
  now: number,
): ReadonlyMap<string, Attempt> {
  const graceMs = Math.max(60, 3 * context.model.definition.delivery.ackWaitSeconds) * 1000;
  const blockers = new Map<string, Attempt>();
  for (const attempt of attempts.values()) {
    if (now > attempt.dueAt + graceMs || blockers.has(attempt.entityId)) continue;
    blockers.set(attempt.entityId, attempt);
  }
  return blockers;
}

/**
 * As one batch; where that fails, in parts, each in stream order, until the event that fails stands
 * alone. The others of the batch cost a few more statements, not one each.
 */
async function applyInOrder(context: CarefulContext, events: readonly Due[]): Promise<void> {
  const due = events.filter((one) => {
    const until = context.blocked.get(one.event.id);
    if (until !== undefined) putOff(context, one, until - Date.now());
    return until === undefined;
  });
  if (due.length === 0) return;
  try {
    const incoming = due.map(({ event }) => event);
    const applied = await persistently(context, () =>
      context.exclusively(() => applyBatch(context.pool, context, incoming)),
    );
    for (const { delivery } of due) delivery.ack();
    context.tally.applied += applied.fresh;
    context.tally.stale += applied.stale;
    if (applied.tasks) context.onTasks();
  } catch (error) {
    await isolate(context, due, error);
  }
}

async function isolate(context: CarefulContext, due: readonly Due[], error: unknown): Promise<void> {
  if (error instanceof Error && error.name === "Stopped") throw error;
  const [only] = due;
  if (due.length === 1 && only !== undefined) {
    // A clash is not a failure yet: on its own the event settles it. Nothing else is tried twice at once.
    return await attemptEvent(context, only, isUniqueClash(error) ? undefined : { error });
  }
  context.logger.debug(
    { events: due.length, error: messageOf(error) },
    "a batch failed; applying it in parts",
  );
  for (const part of partsOf(due, error)) await applyInOrder(context, part);
}

/** Around the event whose hook threw; in halves where the culprit is not known. */
function partsOf(due: readonly Due[], error: unknown): readonly (readonly Due[])[] {
  const culprit = error instanceof HandlerFailed ? due.findIndex(({ event }) => event.seq === error.seq) : -1;
  if (culprit >= 0) return [due.slice(0, culprit), due.slice(culprit, culprit + 1), due.slice(culprit + 1)];
  const middle = due.length >> 1;
  return [due.slice(0, middle), due.slice(middle)];
}
