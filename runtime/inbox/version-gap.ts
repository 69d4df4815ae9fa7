import type { Incoming } from "./parse.js";

/*
 * Replicas share a durable, so a user's `updated` may be applied by one while `created` is still in the
 * hands of another, or waits to be delivered again after a crash: `created` would be stale then, and its
 * hook never run. An event that leaves a gap therefore waits, as long as a message is out somewhere
 * that may be the missing one. Versions tell that there is a gap; the durable's count of what is out,
 * less what this process holds, whether it can still close.
 */

/** What the broker and this process know of messages that are delivered and not settled. */
export interface OnLoan {
  /** Effective sequence up to which everything is settled; undefined where the broker does not say. */
  readonly floor: number | undefined;
  /** A message is out that this process does not hold. */
  readonly elsewhere: boolean;
  /**
   * What this process holds and has not come to yet: the lowest effective sequence of each entity, by subject without its
   * action. A message that is delivered again comes behind those that were stored after it.
   */
  readonly next: ReadonlyMap<string, number>;
}

/** `auth.user.42` of `auth.user.42.created`. */
export function withoutAction(subject: string): string {
  return subject.slice(0, subject.lastIndexOf("."));
}

export interface Predecessors {
  /** Of events that leave gaps, those that wait, by sequence, and for how long; the others go on without what is missing. */
  waits(events: readonly Incoming[]): Promise<ReadonlyMap<number, number>>;
  /** How often an event was put off here for that: deliveries of it that nothing failed on. */
  timesPutOff(seq: number): number;
  /** They were applied, with nothing missing or without it. */
  applied(events: readonly Incoming[]): void;
}

export interface PredecessorOptions {
  readonly onLoan: () => Promise<OnLoan>;
  /** A crashed replica's messages come again after this time. */
  readonly ackWaitSeconds: number;
}

interface Wait {
  readonly entityId: string;
  readonly version: number | null;
  readonly since: number;
  times: number;
}

const LEAST_PATIENCE_MS = 15_000;
/**
 * While what holds the floor down is what another event has waited for in vain: a history that was evicted leaves a gap
 * per entity, and all of them would wait for one message that is stuck.
 */
const VAIN_PATIENCE_MS = 1_000;
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 1_000;
/** Waits that are remembered before those which ended elsewhere are forgotten. */
const MANY = 10_000;

export function createPredecessors({ onLoan, ackWaitSeconds }: PredecessorOptions): Predecessors {
  const longest = Math.max(LEAST_PATIENCE_MS, (ackWaitSeconds + 5) * 1000);
  const waiting = new Map<number, Wait>();
  /** The floor at which a wait was in vain. */
  let vain: { readonly floor: number | undefined } | undefined;

  function isOver(event: Incoming, floor: number | undefined, now: number): boolean {
    const wait = waiting.get(event.seq);
    const patience = vain !== undefined && vain.floor === floor ? VAIN_PATIENCE_MS : longest;
    if (wait === undefined || now - wait.since < patience) return false;
    waiting.delete(event.seq);
    vain = { floor };
    return true;
  }

  function putOff({ seq, id, version }: Incoming, now: number): number {
    const wait = waiting.get(seq) ?? { entityId: id, version, since: now, times: 0 };
    const delayMs = Math.min(FIRST_DELAY_MS * 1.5 ** wait.times, LONGEST_DELAY_MS);
    wait.times += 1;
    waiting.set(seq, wait);
    return delayMs;
  }

  /** What is put off here is out, though it counts as held: it may come to another replica next, and has not been applied. */
  function followsAnother({ id, version }: Incoming): boolean {
    if (version === null) return false;
    for (const other of waiting.values()) {
      if (other.entityId === id && other.version !== null && other.version < version) return true;
    }
    return false;
  }

  /** By whichever replica. */
  function forgetSettled(floor: number | undefined): void {
    if (floor === undefined) return;
    for (const seq of waiting.keys()) if (seq <= floor) waiting.delete(seq);
  }

  function forgetOld(now: number): void {
    if (waiting.size < MANY) return;
    for (const [seq, { since }] of waiting) if (now - since > 2 * longest) waiting.delete(seq);
  }

  return {
    async waits(events) {
      const now = Date.now();
      const delays = new Map<number, number>();
      const { floor, elsewhere, next } = await onLoan();
      forgetSettled(floor);
      for (const event of events) {
        if (isOver(event, floor, now)) continue;
        const outElsewhere = elsewhere && (floor === undefined || floor < event.seq - 1);
        const comesNext = (next.get(withoutAction(event.subject)) ?? event.seq) < event.seq;
        if (outElsewhere || comesNext || followsAnother(event)) delays.set(event.seq, putOff(event, now));
        else waiting.delete(event.seq);
      }
      forgetOld(now);
      return delays;
    },
    timesPutOff: (seq) => waiting.get(seq)?.times ?? 0,
    applied(events) {
      if (waiting.size === 0) return;
      for (const { seq } of events) if (waiting.delete(seq)) vain = undefined;
    },
  };
}
