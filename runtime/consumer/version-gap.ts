import type { Incoming } from "../inbox/parse.js";
import { withoutAction } from "../subject.js";

/*
 * Version gaps. Replicas share a durable, so a user's `updated` may reach one of them while `created` is still in flight to
 * another, or waits for its redelivery after a crash: applied first, `updated` would make `created` stale, whose hook would
 * never run. An event before which versions are missing therefore waits for them, as long as a message is in flight that
 * may be one of them. Versions show the gap, or, without them, a life that does not begin with its creation; what the durable counts
 * as in flight, less what this process holds, shows whether it can still close.
 */

/** Messages that are delivered and not settled. */
export interface InFlight {
  /** Effective sequence up to which everything is settled; undefined where the broker does not say. */
  readonly ackFloor: number | undefined;
  /** A message is in flight that this process does not hold. */
  readonly elsewhere: boolean;
  /**
   * What this process holds and applies next: the lowest effective sequence of each entity, by subject without its
   * action. A redelivered message comes behind those that were stored after it.
   */
  readonly next: ReadonlyMap<string, number>;
}

export interface VersionGapWaits {
  /** For events after a gap: the delay in ms of those that wait, by sequence. The others are applied without what is missing. */
  delays(events: readonly Incoming[]): Promise<ReadonlyMap<number, number>>;
  /** Those without versions that follow one of their entity which was deferred here, and is not among them: nothing else shows that gap. */
  behind(events: readonly Incoming[]): readonly Incoming[];
  /** How often an event was deferred here for a gap: so many of its deliveries are no sign of poison. */
  timesDeferred(seq: number): number;
  /** They were applied, with or without the versions before them. */
  applied(events: readonly Incoming[]): void;
}

export interface VersionGapOptions {
  readonly inFlight: () => Promise<InFlight>;
  /** A crashed replica's messages are redelivered after this time. */
  readonly ackWaitSeconds: number;
}

interface Wait {
  readonly entityId: string;
  readonly version: number | null;
  readonly since: number;
  times: number;
}

/** The longest wait is this, or a little more than the ack wait. */
const LEAST_TIMEOUT_MS = 15_000;
/** After one time-out wait 1 s only, until something is settled: evicted history would delay every entity. */
const TIMED_OUT_TIMEOUT_MS = 1_000;
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 1_000;
/** From so many waits on, those that ended in another replica are forgotten. */
const MANY_WAITS = 10_000;

export function createVersionGapWaits({ inFlight, ackWaitSeconds }: VersionGapOptions): VersionGapWaits {
  const longest = Math.max(LEAST_TIMEOUT_MS, (ackWaitSeconds + 5) * 1000);
  const waiting = new Map<number, Wait>();
  /** The ackFloor at which the last wait timed out. */
  let timedOut: { readonly ackFloor: number | undefined } | undefined;

  function hasTimedOut(event: Incoming, ackFloor: number | undefined, now: number): boolean {
    const wait = waiting.get(event.seq);
    const timeoutMs =
      timedOut !== undefined && timedOut.ackFloor === ackFloor ? TIMED_OUT_TIMEOUT_MS : longest;
    if (wait === undefined || now - wait.since < timeoutMs) return false;
    waiting.delete(event.seq);
    timedOut = { ackFloor };
    return true;
  }

  function deferAgain({ seq, id, version }: Incoming, now: number): number {
    const wait = waiting.get(seq) ?? { entityId: id, version, since: now, times: 0 };
    const delayMs = Math.min(FIRST_DELAY_MS * 1.5 ** wait.times, LONGEST_DELAY_MS);
    wait.times += 1;
    waiting.set(seq, wait);
    return delayMs;
  }

  /** An earlier version was deferred here. It is not applied yet, and another replica may receive it next. */
  function followsAnother({ id, version, seq }: Incoming): boolean {
    for (const [otherSeq, other] of waiting) {
      if (other.entityId !== id) continue;
      if (version === null ? otherSeq < seq : other.version !== null && other.version < version) return true;
    }
    return false;
  }

  /** Settled by whichever replica. */
  function forgetSettled(ackFloor: number | undefined): void {
    if (ackFloor === undefined) return;
    for (const seq of waiting.keys()) if (seq <= ackFloor) waiting.delete(seq);
  }

  function forgetOld(now: number): void {
    if (waiting.size < MANY_WAITS) return;
    for (const [seq, { since }] of waiting) if (now - since > 2 * longest) waiting.delete(seq);
  }

  return {
    async delays(events) {
      const now = Date.now();
      const delays = new Map<number, number>();
      const { ackFloor, elsewhere, next } = await inFlight();
      forgetSettled(ackFloor);
      for (const event of events) {
        if (hasTimedOut(event, ackFloor, now)) continue;
        const inFlightElsewhere = elsewhere && (ackFloor === undefined || ackFloor < event.seq - 1);
        const comesNext = (next.get(withoutAction(event.subject)) ?? event.seq) < event.seq;
        if (inFlightElsewhere || comesNext || followsAnother(event))
          delays.set(event.seq, deferAgain(event, now));
        else waiting.delete(event.seq);
      }
      forgetOld(now);
      return delays;
    },
    behind(events) {
      if (waiting.size === 0) return [];
      const here = new Set(events.map(({ seq }) => seq));
      return events.filter(
        ({ id, seq, version }) =>
          version === null &&
          [...waiting].some(([other, { entityId }]) => entityId === id && other < seq && !here.has(other)),
      );
    },
    timesDeferred: (seq) => waiting.get(seq)?.times ?? 0,
    applied(events) {
      if (waiting.size === 0) return;
      for (const { seq } of events) if (waiting.delete(seq)) timedOut = undefined;
    },
  };
}
