import type { Delivery } from "../broker/broker.js";
import { HandlerFailed, hasState } from "../database/database-errors.js";
import { retryUntilAnswered, Stopped } from "../database/retry.js";
import { allFresh, applyBatch } from "../inbox/apply.js";
import { VersionGap } from "../inbox/apply-errors.js";
import {
  applyFastPath,
  type FastPathBatch,
  type FastPathOutcome,
  prepareFastPath,
} from "../inbox/fast-path.js";
import { addressOf, type Incoming, parseMessage } from "../inbox/parse.js";
import { inProcessSpan } from "../telemetry/spans.js";
import { messageOf } from "../text/error-message.js";
import {
  type BatchContext,
  type Due,
  isSuspicious,
  isUnread,
  type Received,
  type SettleContext,
  spanOf,
  type Unread,
  waitsForVersions,
} from "./batch-context.js";
import { attemptEvent } from "./one-by-one.js";
import type { PendingRetries, PendingRetry } from "./retries.js";
import { acknowledge, defer, reject } from "./settle.js";

/**
 * The statement that applies the whole batch. Undefined where a message is no event, or the batch is more than one statement.
 * `offset`: the sequence offset of the epoch in which it was received.
 */
export function prepareBatch(
  context: BatchContext,
  offset: number,
  received: readonly Received[],
): FastPathBatch | undefined {
  const events: Incoming[] = [];
  for (const { parsed } of received) {
    if (parsed?.ok !== true) return undefined;
    events.push(parsed.incoming);
  }
  const { durable } = context.model.definition;
  return prepareFastPath(
    context,
    events.sort((a, b) => a.seq - b.seq),
    { durable, offset },
  );
}

export interface AtOnce {
  readonly outcome: FastPathOutcome | "not-tried";
  /** Acknowledges the whole batch, where it was applied. */
  readonly settle: () => void;
}

const nothing = () => undefined;

/**
 * Applies the usual batch by the one statement that was prepared for it, which writes nothing where an event of the durable is a
 * pending retry. Whatever else it comes to, nothing is settled: `processBatch` is to do that. Rejects only with `Stopped`.
 */
export async function applyAtOnce(
  context: BatchContext,
  batch: readonly Received[],
  prepared: FastPathBatch,
): Promise<AtOnce> {
  const due: Due[] = [];
  for (const { delivery, seq, parsed } of batch)
    if (parsed?.ok === true && !isSuspicious(context, delivery, seq))
      due.push({ delivery, event: parsed.incoming });
  forgetDue(context.deferredUntil);
  const isBehind = () => (context.versionGaps?.behind(due.map(({ event }) => event)) ?? []).length > 0;
  if (due.length < batch.length || context.deferredUntil.size > 0 || isBehind())
    return { outcome: "not-tried", settle: nothing };
  try {
    const outcome = await inProcessSpan(spanOf(context, due), () =>
      retryUntilAnswered(context, () =>
        context.exclusively(() => applyFastPath(context.pool, context, prepared)),
      ),
    );
    const settle = outcome === "applied" ? () => acknowledge(context, due, allFresh(due.length)) : nothing;
    return { outcome, settle };
  } catch (error) {
    if (error instanceof Stopped) throw error;
    context.logger.debug({ error: messageOf(error) }, "a batch failed at once");
    return { outcome: "not-tried", settle: nothing };
  }
}

/**
 * Settles every message of a batch: applied and acknowledged, deferred, or made a dead letter.
 * Rejects only with `Stopped`; what is unsettled then is the caller's to hand back.
 */
export async function processBatch(
  context: BatchContext,
  batch: readonly Received[],
  retries: PendingRetries["bySeq"],
): Promise<void> {
  const due: (Due | Unread)[] = [];
  for (const { delivery, seq, parsed } of batch) {
    if (parsed === undefined) due.push(unread(context, delivery, seq));
    else if (parsed.ok) due.push({ delivery, event: parsed.incoming });
    else await reject(context, { delivery, seq, rejected: parsed.rejected });
  }
  if (due.length === 0) return;
  // A redelivered message comes late; within a batch the stream's order is restored.
  due.sort((a, b) => a.event.seq - b.event.seq);
  const { together, oneByOne } = triage(context, due, retries);
  const blocked = new Map<string, number>();
  await applyTogether({ ...context, blocked }, together);
  for (const one of oneByOne) await attemptEvent({ ...context, blocked }, one);
}

function unread({ model }: BatchContext, delivery: Delivery, seq: number): Unread {
  return { delivery, event: addressOf(model, delivery, seq), read: () => parseMessage(model, delivery, seq) };
}

interface Triage {
  readonly together: readonly Due[];
  /** They failed before, or were delivered suspiciously often. */
  readonly oneByOne: readonly (Due | Unread)[];
}

/**
 * An event behind a pending retry is redelivered after 1 s at most: a retry that is being attempted, here or by another
 * replica, is on record as due after a whole ack wait, and mostly over at once.
 */
const LONGEST_DEFERRAL_MS = 1_000;

/** Defers what is not due yet, and what waits behind an event of its entity that is not. */
function triage(
  context: BatchContext,
  due: readonly (Due | Unread)[],
  retries: ReadonlyMap<number, PendingRetry>,
): Triage {
  const now = Date.now();
  const blockers = earliestByEntity(context, retries, now);
  forgetDue(context.deferredUntil, now);
  const isQuiet = (one: Due | Unread): one is Due =>
    !isUnread(one) && !isSuspicious(context, one.delivery, one.event.seq);
  if (blockers.size === 0 && context.deferredUntil.size === 0 && due.every(isQuiet))
    return { together: due, oneByOne: [] };
  const here = new Set(due.map(({ event }) => event.seq));
  const suspects = new Set<string>();
  const together: Due[] = [];
  const oneByOne: (Due | Unread)[] = [];
  for (const one of due) {
    const { event } = one;
    const blocker = blockers.get(event.id);
    const waits = blocker !== undefined && blocker.seq <= event.seq;
    const until = context.deferredUntil.get(event.id) ?? 0;
    if (blocker === undefined && until > now) {
      defer(context, one, until - now);
      continue;
    }
    if (waits && (blocker.dueAt > now || !here.has(blocker.seq))) {
      const dueInMs = Math.max(blocker.dueAt - now, 0);
      defer(context, one, blocker.seq === event.seq ? dueInMs : Math.min(dueInMs, LONGEST_DEFERRAL_MS));
    } else if (
      isUnread(one) ||
      waits ||
      suspects.has(event.id) ||
      isSuspicious(context, one.delivery, event.seq)
    ) {
      suspects.add(event.id);
      oneByOne.push(one);
    } else together.push(one);
  }
  return { together, oneByOne };
}

function forgetDue(deferredUntil: BatchContext["deferredUntil"], now = Date.now()): void {
  for (const [id, until] of deferredUntil) if (until <= now) deferredUntil.delete(id);
}

/** The earliest pending retry of each entity. One that is long overdue is of a message that no longer exists: it blocks nothing. */
function earliestByEntity(
  context: BatchContext,
  retries: ReadonlyMap<number, PendingRetry>,
  now: number,
): ReadonlyMap<string, PendingRetry> {
  const { ackWaitSeconds, backoffSeconds } = context.model.delivery;
  const graceMs = Math.max(60, 3 * ackWaitSeconds) * 1000;
  const longestMs = Math.max(ackWaitSeconds, ...backoffSeconds) * 1000;
  const blockers = new Map<string, PendingRetry>();
  for (const retry of retries.values()) {
    if (now > retry.dueAt + graceMs || blockers.has(retry.entityId)) continue;
    // Further away than any back-off: the database's clock was set back since, and the retry is due.
    const isBeyond = retry.dueAt > now + longestMs + graceMs;
    blockers.set(retry.entityId, isBeyond ? { ...retry, dueAt: now } : retry);
  }
  return blockers;
}

const NONE: ReadonlySet<number> = new Set();

/**
 * Applies events as one batch; where that fails, in parts, each in stream order, until the event that fails stands
 * alone. The others of the batch then cost a few more statements, not one each.
 */
async function applyTogether(
  context: SettleContext,
  events: readonly Due[],
  gapsAllowed: ReadonlySet<number> = NONE,
): Promise<void> {
  const due =
    context.blocked.size === 0
      ? events
      : events.filter((one) => {
          const until = context.blocked.get(one.event.id);
          if (until !== undefined) defer(context, one, until - Date.now());
          return until === undefined;
        });
  if (due.length === 0) return;
  const order = waitsForVersions(context) ? { gapsAllowed } : {};
  const incoming = due.map(({ event }) => event);
  const behind = waitsForVersions(context) ? (context.versionGaps?.behind(incoming) ?? []) : [];
  if (behind.some(({ seq }) => !gapsAllowed.has(seq)))
    return await deferGaps(context, { due, afterGap: behind, gapsAllowed });
  try {
    const applied = await inProcessSpan(spanOf(context, due), () =>
      retryUntilAnswered(context, () =>
        context.exclusively(() => applyBatch(context.pool, { ...context, ...order }, incoming)),
      ),
    );
    acknowledge(context, due, applied);
  } catch (error) {
    if (error instanceof VersionGap) await deferGaps(context, { due, afterGap: error.events, gapsAllowed });
    else await isolate(context, { due, error, gapsAllowed });
  }
}

interface Gapped {
  readonly due: readonly Due[];
  readonly afterGap: readonly Incoming[];
  readonly gapsAllowed: ReadonlySet<number>;
}

/** Defers the events whose earlier versions may be on their way, with those of their entities that follow; applies the rest. */
async function deferGaps(context: SettleContext, { due, afterGap, gapsAllowed }: Gapped): Promise<void> {
  const delays = (await context.versionGaps?.delays(afterGap)) ?? new Map<number, number>();
  const firsts = new Map<string, Incoming>();
  for (const event of afterGap)
    if (delays.has(event.seq) && !firsts.has(event.id)) firsts.set(event.id, event);
  const rest: Due[] = [];
  for (const one of due) {
    const first = firsts.get(one.event.id);
    if (first === undefined || precedes(one.event, first)) rest.push(one);
    else defer(context, one, delays.get(first.seq) ?? 0);
  }
  await applyTogether(context, rest, new Set([...gapsAllowed, ...afterGap.map(({ seq }) => seq)]));
}

function precedes(event: Incoming, other: Incoming): boolean {
  return event.version === null || other.version === null
    ? event.seq < other.seq
    : event.version < other.version;
}

interface Failed {
  readonly due: readonly Due[];
  readonly error: unknown;
  readonly gapsAllowed: ReadonlySet<number>;
}

async function isolate(context: SettleContext, { due, error, gapsAllowed }: Failed): Promise<void> {
  if (error instanceof Stopped) throw error;
  const [only] = due;
  if (due.length === 1 && only !== undefined) {
    // A unique conflict is not a failure yet: on its own the event settles it. Nothing else is tried twice at once.
    const isConflict = hasState(error, "unique_violation");
    return await attemptEvent(context, only, isConflict ? undefined : { error });
  }
  context.logger.debug(
    { events: due.length, error: messageOf(error) },
    "a batch failed; applying it in parts",
  );
  for (const part of partsOf(due, error)) await applyTogether(context, part, gapsAllowed);
}

/** Around the event whose hook threw; in halves where the event at fault is not known. */
function partsOf(due: readonly Due[], error: unknown): readonly (readonly Due[])[] {
  const at = error instanceof HandlerFailed ? due.findIndex(({ event }) => event.seq === error.seq) : -1;
  if (at >= 0) return [due.slice(0, at), due.slice(at, at + 1), due.slice(at + 1)];
  const middle = due.length >> 1;
  return [due.slice(0, middle), due.slice(middle)];
}
