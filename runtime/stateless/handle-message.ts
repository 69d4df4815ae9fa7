import type { Delivery } from "../broker/broker.js";
import type { DeadLetterReason } from "../consumer/dead-letters.js";
import { textOf } from "../consumer/dead-letters.js";
import { backoffMs } from "../consumer/retries.js";
import { retryUntilAnswered, Stopped } from "../database/retry.js";
import type { Logger } from "../definition/hook-definition.js";
import { parseMessage } from "../inbox/parse.js";
import { destinationOf, inProcessSpan } from "../telemetry/spans.js";
import { messageOf } from "../text/error-message.js";
import type { DeadLetterStream } from "./dead-letter-stream.js";
import type { EntityWaits } from "./entity-waits.js";
import type { StatelessModel } from "./message-hook.js";

/*
 * One message of a service without a database: handled and acknowledged, deferred behind an earlier one of its entity, tried
 * again after its back-off, or made a dead letter. The first attempt costs nothing beyond the hook. From the first redelivery
 * on, an attempt is on record before it is made: the message may be what ended the process.
 */

export interface MessageWork {
  readonly consumer: StatelessModel;
  readonly letters: DeadLetterStream;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly hookTimeoutMs: number | undefined;
  readonly waits: EntityWaits;
  /** Messages that this process has put off itself: their redelivery says nothing of them. */
  readonly expected: Set<string>;
  /** One at a time: redelivered for no reason that is known here, so it may be what ended a process. */
  readonly alone: <T>(work: () => Promise<T>) => Promise<T>;
  readonly tally: { applied: number; stale: number; deadLetters: number };
  readonly onTrouble: (error: string | undefined) => void;
}

/** Another replica, or this one once it runs again, is given the message after this time. */
const HAND_BACK_MS = 100;

/** Never rejects. What cannot be settled, for the service stops, is handed back. */
export async function handleMessage(work: MessageWork, entity: string, delivery: Delivery): Promise<void> {
  try {
    const waitMs = work.waits.waitMs(entity, delivery.seq);
    if (work.signal.aborted) return delivery.nak(HAND_BACK_MS);
    if (waitMs > 0) return putOff(work, entity, { delivery, delayMs: waitMs });
    const isKnown = delivery.deliveries === 1 || work.expected.delete(placeOf(delivery));
    await (isKnown ? attempt(work, entity, delivery) : work.alone(() => attempt(work, entity, delivery)));
  } catch (error) {
    if (!(error instanceof Stopped)) work.logger.error({ error, subject: delivery.subject }, "not settled");
    delivery.nak(HAND_BACK_MS);
  }
}

function placeOf({ seq, time }: Delivery): string {
  return `${seq} ${time.getTime()}`;
}

/** Those that another replica was given instead never come back. A message that is forgotten here is only tried alone. */
const MOST_EXPECTED = 10_000;

function putOff(
  { expected, waits }: MessageWork,
  entity: string,
  { delivery, delayMs }: { readonly delivery: Delivery; readonly delayMs: number },
): void {
  if (expected.size >= MOST_EXPECTED) expected.clear();
  expected.add(placeOf(delivery));
  waits.putOff(entity, delivery.seq, delayMs);
  delivery.nak(delayMs);
}

async function attempt(work: MessageWork, entity: string, delivery: Delivery): Promise<void> {
  const { consumer, letters, logger, signal, hookTimeoutMs: timeoutMs } = work;
  const { model } = consumer;
  if (signal.aborted) throw new Stopped("stopped");
  const place = { durable: model.definition.durable, seq: delivery.seq, time: delivery.time };
  let attempts = 1;
  if (delivery.deliveries > 1) {
    const former = await untilAnswered(work, () => letters.attemptsAt(place));
    attempts = (former?.attempts ?? 0) + 1;
    if (attempts > model.delivery.attempts)
      return await deadLetter(work, entity, {
        delivery,
        reason: exhausted(former?.error ?? null, attempts - 1),
      });
    await untilAnswered(work, () => letters.recordAttempts(place, { attempts, error: null }));
  }
  const parsed = parseMessage(model, delivery, delivery.seq);
  if (!parsed.ok) {
    const { ignored, reason: error, entityId } = parsed.rejected;
    if (ignored !== true)
      return await deadLetter(work, entity, { delivery, reason: { kind: "invalid", error }, entityId });
  } else {
    try {
      const { durable, stream } = model.definition;
      const due = [{ delivery, event: parsed.incoming }];
      await inProcessSpan(
        { durable, stream: stream.name, destination: destinationOf(model.definition), due },
        () => consumer.call(parsed.incoming, { logger, attempt: attempts, signal, timeoutMs }),
      );
    } catch (error) {
      // A hook that gives up because the service stops has not failed.
      if (!signal.aborted) return await failed(work, entity, { delivery, attempts, error });
      if (delivery.deliveries > 1)
        await letters.recordAttempts(place, { attempts: attempts - 1, error: null });
      throw new Stopped("stopped");
    }
    work.tally.applied += 1;
    if (work.logger.logsEvents) {
      const { subject, seq, time } = delivery;
      work.logger.info({ subject, seq, ms: Date.now() - time.getTime() }, "applied");
    }
  }
  delivery.ack();
  work.waits.settled(entity, delivery.seq);
  if (delivery.deliveries > 1) await untilAnswered(work, () => letters.forgetAttempts(place));
}

function exhausted(error: string | null, attempts: number): DeadLetterReason {
  return error === null
    ? { kind: "process-ended", attempts }
    : { kind: "attempts-exhausted", attempts, error };
}

interface Failed {
  readonly delivery: Delivery;
  readonly attempts: number;
  readonly error: unknown;
}

async function failed(work: MessageWork, entity: string, failure: Failed): Promise<void> {
  const { letters, logger } = work;
  const { model } = work.consumer;
  const { delivery, attempts } = failure;
  const error = `hook: ${messageOf(failure.error)}`;
  if (attempts >= model.delivery.attempts)
    return await deadLetter(work, entity, {
      delivery,
      reason: { kind: "attempts-exhausted", attempts, error },
    });
  const place = { durable: model.definition.durable, seq: delivery.seq, time: delivery.time };
  await untilAnswered(work, () => letters.recordAttempts(place, { attempts, error }));
  const delayMs = backoffMs(model, attempts);
  const { subject, seq } = delivery;
  logger.warn(
    { subject, seq, attempts, delayMs, error },
    "an event failed and is retried after its back-off",
  );
  putOff(work, entity, { delivery, delayMs });
}

interface Rejected {
  readonly delivery: Delivery;
  readonly reason: DeadLetterReason;
  readonly entityId?: string | undefined;
}

/** Stored before the broker is told to forget the message. */
async function deadLetter(work: MessageWork, entity: string, letter: Rejected): Promise<void> {
  const { letters, logger, tally, waits } = work;
  const { delivery, reason, entityId = entity } = letter;
  const { durable } = work.consumer.model.definition;
  await untilAnswered(work, () => letters.record(delivery, { durable, entityId, reason }));
  delivery.term();
  waits.settled(entity, delivery.seq);
  tally.deadLetters += 1;
  const { subject, seq } = delivery;
  logger.error({ subject, seq, ...textOf(reason) }, "a message became a dead letter");
  if (delivery.deliveries > 1)
    await untilAnswered(work, () => letters.forgetAttempts({ durable, seq, time: delivery.time }));
}

/** Does it until the broker answers: whatever is thrown is none. Rejects with `Stopped` once the service stops. */
const untilAnswered = <T>(context: MessageWork, work: () => Promise<T>) =>
  retryUntilAnswered(context, work, () => false);
