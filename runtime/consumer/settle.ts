import type { Delivery } from "../broker/broker.js";
import { HandlerFailed, isUnstorable } from "../database/database-errors.js";
import { retryUntilAnswered } from "../database/retry.js";
import { inTransaction } from "../database/transaction.js";
import type { Applied } from "../inbox/apply.js";
import type { Addressed, Rejected } from "../inbox/parse.js";
import { messageOf } from "../text/error-message.js";
import type { BatchContext, Due, SettleContext, Unread } from "./batch-context.js";
import { type DeadLetterReason, recordDeadLetter, textOf } from "./dead-letters.js";
import { backoffMs, forgetAttempt, postponeAttempt } from "./retries.js";

/*
 * How a message is settled: acknowledged, deferred, retried with back-off, or made a dead letter.
 */

/**
 * Acknowledges what was applied, as the next thing after its COMMIT: between the two nothing happens to the batch. A crash in between
 * means one redelivery, which `isFresh` or `dropDuplicates` recognises, so that it changes nothing.
 */
export function acknowledge(context: BatchContext, due: readonly Due[], applied: Applied): void {
  for (const { delivery } of due) delivery.ack();
  for (const { event } of due) noteCommit(context, event.event.metadata.timestamp);
  context.versionGaps?.applied(due.map(({ event }) => event));
  context.tally.applied += applied.fresh;
  context.tally.stale += applied.stale;
  if (applied.tasks) context.onTasks();
  if (context.logger.logsEvents) logApplied(context, due, applied);
}

/** A batch of events of which none was news says so; one that had both counts as applied. */
function logApplied({ logger }: BatchContext, due: readonly Due[], { fresh }: Applied): void {
  const message = fresh === 0 ? "applied already" : "applied";
  const now = Date.now();
  for (const { event, delivery } of due)
    logger.info({ subject: event.subject, seq: event.seq, ms: now - delivery.time.getTime() }, message);
}

function noteCommit({ tally }: BatchContext, at: number): void {
  if (at > (tally.lastEventAt ?? 0)) tally.lastEventAt = at;
}

/** A deferred event is redelivered this long after the one that it waits for. */
const FOLLOW_MS = 100;

/** Redelivered after the event that it waits for; that is no attempt. */
export function defer(context: BatchContext, { delivery, event }: Due | Unread, delayMs: number): void {
  context.logger.debug(
    { subject: event.subject, seq: event.seq, delayMs },
    "deferred behind an earlier event of its entity",
  );
  delivery.nak(Math.max(delayMs, 0) + FOLLOW_MS);
}

interface Failure {
  readonly attempts: number;
  readonly error: unknown;
}

/** After a failed attempt: a dead letter if it was the last one or no other can succeed, else a retry after its back-off. */
export async function retryLater(
  context: SettleContext,
  due: Due | Unread,
  { attempts, error }: Failure,
): Promise<void> {
  const { model, logger, pool, blocked } = context;
  const { delivery, event } = due;
  const text = describe(error);
  if (isUnstorable(error))
    return await deadLetterEvent(context, due, { kind: "unstorable", attempts, error: text });
  if (attempts >= model.delivery.attempts)
    return await deadLetterEvent(context, due, { kind: "attempts-exhausted", attempts, error: text });
  const delayMs = backoffMs(model, attempts);
  await retryUntilAnswered(context, () => postponeAttempt(pool, model, event, { error: text, delayMs }));
  blocked.set(event.id, Date.now() + delayMs);
  context.deferredUntil.set(event.id, Date.now() + delayMs);
  logger.warn(
    { subject: event.subject, seq: event.seq, attempts, delayMs, error: text },
    "an event failed and is retried after its back-off",
  );
  delivery.nak(delayMs);
}

function describe(error: unknown): string {
  return error instanceof HandlerFailed ? `hook: ${error.message}` : messageOf(error);
}

/** A message that is no valid event; `attempted` where an attempt at it is on record. */
export async function reject(
  context: BatchContext,
  { delivery, seq, rejected }: { delivery: Delivery; seq: number; rejected: Rejected },
  attempted?: Addressed,
): Promise<void> {
  if (rejected.ignored === true) return await ignore(context, delivery, attempted);
  const { entityId } = rejected;
  const reason = { kind: "invalid", error: rejected.reason } as const;
  await deadLetter(context, { delivery, seq, entityId, reason, attempted });
}

async function ignore(
  { model, pool, ...retry }: BatchContext,
  delivery: Delivery,
  attempted: Addressed | undefined,
): Promise<void> {
  if (attempted !== undefined)
    await retryUntilAnswered(retry, () =>
      inTransaction(pool, (client) => forgetAttempt(client, model, attempted)),
    );
  delivery.ack();
}

/** An event at which attempts are on record. */
export async function deadLetterEvent(
  context: BatchContext,
  { delivery, event }: Due | Unread,
  reason: DeadLetterReason,
): Promise<void> {
  await deadLetter(context, { delivery, seq: event.seq, entityId: event.id, reason, attempted: event });
}

interface DeadLetterOptions {
  readonly delivery: Delivery;
  readonly seq: number;
  readonly entityId: string | undefined;
  readonly reason: DeadLetterReason;
  readonly attempted: Addressed | undefined;
}

/** The dead letter and the end of its attempts commit together, before the broker is told to forget the message. */
async function deadLetter(
  { model, logger, tally, pool, ...retry }: BatchContext,
  { delivery, seq, entityId, reason, attempted }: DeadLetterOptions,
): Promise<void> {
  await retryUntilAnswered(retry, () =>
    inTransaction(pool, async (client) => {
      await recordDeadLetter(client, model, { message: delivery, seq, entityId, reason });
      if (attempted !== undefined) await forgetAttempt(client, model, attempted);
    }),
  );
  delivery.term();
  tally.deadLetters += 1;
  logger.error({ subject: delivery.subject, seq, ...textOf(reason) }, "a message became a dead letter");
}
