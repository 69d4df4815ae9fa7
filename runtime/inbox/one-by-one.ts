import type { Delivery } from "../broker/broker.js";
import { type GivenUp, recordDeadLetter } from "../consumer/dead-letters.js";
import {
  backoffMs,
  forgetAttempt,
  postponeAttempt,
  recordAttempt,
  withdrawAttempt,
} from "../consumer/retries.js";
import { HandlerFailed, hasState, isUnstorable } from "../database/database-errors.js";
import { retryUntilAnswered, Stopped } from "../database/retry.js";
import { inTransaction } from "../database/transaction.js";
import { messageOf } from "../text/error-message.js";
import { type Applied, applyEvents, readStates } from "./apply.js";
import { Raced } from "./apply-errors.js";
import { type BatchContext, type Due, isUnread, type Unread } from "./batch.js";
import type { Addressed, Rejected } from "./parse.js";
import { foldEvents } from "./plan-batch.js";

/*
 * One event by itself: counted, settled with whoever holds its unique values, put off when it fails,
 * given up after its attempts.
 */

export interface CarefulContext extends BatchContext {
  /** Entities with an event that was put off, and until when: their later events wait behind it. */
  readonly blocked: Map<string, number>;
}

/** A follower comes a little after the event that it waits for. */
const FOLLOW_MS = 100;

/** `failed`: it was the only one of a batch that failed so; that was an attempt, and is not repeated at once. */
export async function attemptEvent(
  context: CarefulContext,
  one: Due | Unread,
  failed?: { readonly error: unknown },
): Promise<void> {
  const { model, blocked, pool } = context;
  const until = blocked.get(one.event.id);
  if (until !== undefined) return putOff(context, one, until - Date.now());
  if (failed === undefined && !isUnread(one) && (await waitsForPredecessor(context, one))) return;
  const { attempts, lastError } = await retryUntilAnswered(context, () =>
    recordAttempt(pool, model, one.event),
  );
  if (failed !== undefined) return await judge(context, one, { attempts, error: failed.error });
  if (attempts > model.definition.delivery.attempts) {
    const error = lastError ?? "the process ended while applying it, each time";
    return await bury(context, one, { attempts: attempts - 1, error });
  }
  const due = isUnread(one) ? await readDue(context, one) : one;
  if (due !== undefined) await attemptRead(context, due, attempts);
}

/** Undefined where it is no event, or waits for one that comes before it; both are seen to. */
async function readDue(context: CarefulContext, one: Unread): Promise<Due | undefined> {
  const { model, pool } = context;
  const { delivery, event } = one;
  const parsed = one.read();
  if (!parsed.ok) {
    await giveUp(context, delivery, rejectedLetter(delivery, event.seq, parsed.rejected), event);
    return undefined;
  }
  const due = { delivery, event: parsed.incoming };
  if (!(await waitsForPredecessor(context, due))) return due;
  await retryUntilAnswered(context, () => withdrawAttempt(pool, model, event));
  return undefined;
}

async function attemptRead(context: CarefulContext, due: Due, attempts: number): Promise<void> {
  try {
    const applied = await retryUntilAnswered(context, () =>
      context.exclusively(() => applyAlone(context, due)),
    );
    due.delivery.ack();
    context.predecessors?.applied([due.event]);
    context.tally.applied += applied.fresh;
    context.tally.stale += applied.stale;
    context.tally.clashes += 1;
    if (applied.tasks) context.onTasks();
  } catch (error) {
    if (error instanceof Stopped) throw error;
    await judge(context, due, { attempts, error });
  }
}

export function waitsForOrder({ model, predecessors }: BatchContext): boolean {
  return model.orderMatters && predecessors !== undefined;
}

/** Puts it off where events before it are missing that may be on their way. That is no attempt. */
async function waitsForPredecessor(context: CarefulContext, due: Due): Promise<boolean> {
  const { pool, model, predecessors, blocked } = context;
  if (predecessors === undefined || !waitsForOrder(context)) return false;
  const { event } = due;
  const known = await retryUntilAnswered(context, () =>
    readStates(pool, model.definition.entity, [event.id]),
  );
  const { early } = foldEvents(model, [event], known);
  const delayMs = early.length === 0 ? undefined : (await predecessors.waits(early)).get(event.seq);
  if (delayMs === undefined) return false;
  blocked.set(event.id, Date.now() + delayMs);
  putOff(context, due, delayMs);
  return true;
}

/** Another replica may take the value or the entity in between, a few times over. */
const RACES = 5;

async function applyAlone(context: CarefulContext, { event }: Due): Promise<Applied> {
  for (let race = 1; ; race += 1) {
    try {
      return await inTransaction(context.pool, async (client) => {
        await forgetAttempt(client, context.model, event);
        return await applyEvents(client, { ...context, settleClashes: true }, [event]);
      });
    } catch (error) {
      const raced = error instanceof Raced || isCacheClash(context, error);
      if (!raced || race === RACES) throw error;
    }
  }
}

function isCacheClash(context: CarefulContext, error: unknown): boolean {
  return hasState(error, "unique_violation") && error.table === context.model.cache?.table.name;
}

interface Failure {
  readonly attempts: number;
  readonly error: unknown;
}

async function judge(
  context: CarefulContext,
  due: Due | Unread,
  { attempts, error }: Failure,
): Promise<void> {
  const { model, logger, pool, blocked } = context;
  const { delivery, event } = due;
  const last = attempts >= model.definition.delivery.attempts;
  if (last || isUnstorable(error)) {
    return await bury(context, due, { attempts, error: describe(error) });
  }
  const delayMs = backoffMs(model, attempts);
  await retryUntilAnswered(context, () =>
    postponeAttempt(pool, model, event, { error: describe(error), delayMs }),
  );
  blocked.set(event.id, Date.now() + delayMs);
  context.putOffUntil.set(event.id, Date.now() + delayMs);
  logger.warn(
    { subject: event.subject, seq: event.seq, attempts, delayMs, error: describe(error) },
    "an event failed and is put off",
  );
  delivery.nak(delayMs);
}

function describe(error: unknown): string {
  return error instanceof HandlerFailed ? `hook: ${error.message}` : messageOf(error);
}

interface Verdict {
  readonly attempts: number;
  readonly error: string;
}

async function bury(
  context: CarefulContext,
  { delivery, event }: Due | Unread,
  verdict: Verdict,
): Promise<void> {
  const letter = { message: delivery, seq: event.seq, entityId: event.id, ...verdict };
  await giveUp(context, delivery, letter, event);
}

export function rejectedLetter(message: Delivery, seq: number, { reason, entityId }: Rejected): GivenUp {
  return { message, seq, error: reason, attempts: 0, entityId };
}

/** Dead letter and the end of its attempts commit together, before the broker is told to forget the message. */
export async function giveUp(
  context: BatchContext,
  delivery: Delivery,
  letter: GivenUp,
  event?: Addressed,
): Promise<void> {
  const { model, logger, tally, pool } = context;
  await retryUntilAnswered(context, () =>
    inTransaction(pool, async (client) => {
      await recordDeadLetter(client, model, letter);
      if (event !== undefined) await forgetAttempt(client, model, event);
    }),
  );
  delivery.term();
  tally.deadLetters += 1;
  logger.error(
    { subject: letter.message.subject, seq: letter.seq, attempts: letter.attempts, error: letter.error },
    "a message became a dead letter",
  );
}

/** Comes again after the event that it waits for. */
export function putOff(context: BatchContext, { delivery, event }: Due | Unread, delayMs: number): void {
  context.logger.debug(
    { subject: event.subject, seq: event.seq, delayMs },
    "waits behind an event of its entity",
  );
  delivery.nak(Math.max(delayMs, 0) + FOLLOW_MS);
}
