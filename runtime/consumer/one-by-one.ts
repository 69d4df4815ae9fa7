import { hasState } from "../database/database-errors.js";
import { relationName } from "../database/relation.js";
import { retryUntilAnswered, Stopped } from "../database/retry.js";
import { inTransaction } from "../database/transaction.js";
import { type Applied, applyEvents } from "../inbox/apply.js";
import { Raced } from "../inbox/apply-errors.js";
import { readStates } from "../inbox/entity-states.js";
import { planBatch } from "../inbox/plan-batch.js";
import { inProcessSpan } from "../telemetry/spans.js";
import {
  type Due,
  isUnread,
  type SettleContext,
  spanOf,
  type Unread,
  waitsForVersions,
} from "./batch-context.js";
import { forgetAttempt, recordAttempt, withdrawAttempt } from "./retries.js";
import { acknowledge, deadLetterEvent, defer, reject, retryLater } from "./settle.js";

/*
 * One event by itself: its attempt is recorded before it is made, its unique conflicts are settled, and when it fails it
 * is retried with back-off until its attempts are used up.
 */

/** `failed`: it was the only event of a batch that failed so; that was an attempt, and is not repeated at once. */
export async function attemptEvent(
  context: SettleContext,
  one: Due | Unread,
  failed?: { readonly error: unknown },
): Promise<void> {
  const { model, blocked, pool } = context;
  const until = blocked.get(one.event.id);
  if (until !== undefined) return defer(context, one, until - Date.now());
  if (failed === undefined && !isUnread(one) && (await waitsForEarlierVersion(context, one))) return;
  const { attempts, lastError } = await retryUntilAnswered(context, () =>
    recordAttempt(pool, model, one.event),
  );
  if (failed !== undefined) return await retryLater(context, one, { attempts, error: failed.error });
  if (attempts > model.delivery.attempts) {
    const former = attempts - 1;
    return await deadLetterEvent(
      context,
      one,
      lastError === null
        ? { kind: "process-ended", attempts: former }
        : { kind: "attempts-exhausted", attempts: former, error: lastError },
    );
  }
  const due = isUnread(one) ? await readDue(context, one) : one;
  if (due !== undefined) await attemptDue(context, due, attempts);
}

/** Undefined where the message is no event, or waits for an earlier version; it is settled then. */
async function readDue(context: SettleContext, one: Unread): Promise<Due | undefined> {
  const { model, pool } = context;
  const { delivery, event } = one;
  const parsed = one.read();
  if (!parsed.ok) {
    await reject(context, { delivery, seq: event.seq, rejected: parsed.rejected }, event);
    return undefined;
  }
  const due = { delivery, event: parsed.incoming };
  if (!(await waitsForEarlierVersion(context, due))) return due;
  await retryUntilAnswered(context, () => withdrawAttempt(pool, model, event));
  return undefined;
}

async function attemptDue(context: SettleContext, due: Due, attempts: number): Promise<void> {
  let applied: Applied;
  try {
    applied = await inProcessSpan(spanOf(context, [due]), () =>
      retryUntilAnswered(context, () => context.exclusively(() => applyAlone(context, due))),
    );
  } catch (error) {
    if (error instanceof Stopped) throw error;
    return await retryLater(context, due, { attempts, error });
  }
  acknowledge(context, [due], applied);
  context.onPlaceholder();
}

/** Defers the event where earlier versions are missing that may be on their way. That is no attempt. */
async function waitsForEarlierVersion(context: SettleContext, due: Due): Promise<boolean> {
  const { pool, model, versionGaps, blocked } = context;
  if (versionGaps === undefined || !waitsForVersions(context)) return false;
  const { event } = due;
  const known = await retryUntilAnswered(context, () => readStates(pool, model.scope, [event.id]));
  const planned = planBatch(model, [event], known);
  const afterGap = planned.afterGap.length > 0 ? planned.afterGap : versionGaps.behind([event]);
  const delayMs = afterGap.length === 0 ? undefined : (await versionGaps.delays(afterGap)).get(event.seq);
  if (delayMs === undefined) return false;
  blocked.set(event.id, Date.now() + delayMs);
  defer(context, due, delayMs);
  return true;
}

/** Another replica may take the unique value or the entity in between: so often it is tried again before that is a failure. */
const RACES = 5;

async function applyAlone(context: SettleContext, { event }: Due): Promise<Applied> {
  for (let race = 1; ; race += 1) {
    try {
      return await inTransaction(context.pool, async (client) => {
        await forgetAttempt(client, context.model, event);
        return await applyEvents(client, { ...context, settleConflicts: true }, [event]);
      });
    } catch (error) {
      const raced = error instanceof Raced || isCacheConflict(context, error);
      if (!raced || race === RACES) throw error;
    }
  }
}

function isCacheConflict({ model }: SettleContext, error: unknown): boolean {
  return (
    hasState(error, "unique_violation") &&
    model.cache !== undefined &&
    error.table === relationName(model.cache.table)
  );
}
