/** How a delivered message says what has become of it. */
export interface InFlight {
  /** It is settled. */
  end(seq: number): void;
  /** It was handed back with a delay: it comes to nobody until then, and counts as outstanding. */
  postpone(seq: number, delayMs: number, nanoseconds: string): void;
}

/** When the stream stored a message, since 1970; read only where somebody asks for the oldest. */
interface Stored {
  readonly nanoseconds: string;
}

/** Messages that were delivered to one pull subscription. */
export interface InFlightMessages {
  begin(seq: number, message: Stored): InFlight;
  /** Whether this message is neither settled nor handed back. */
  has(seq: number): boolean;
  /** Those, and the postponed ones that are not due again. */
  outstanding(): number;
  /** Postponed ones that did not come again here, nor can have come after the ack wait, with what is left of their delay in ms. */
  postponed(): ReadonlyMap<number, number>;
  /** When the stream stored the oldest of those; undefined where there is none. */
  oldest(): Date | undefined;
}

interface Postponed extends Stored {
  /** By `performance.now()`. */
  readonly until: number;
}

/** Entries above which those are dropped that the broker has redelivered. */
const POSTPONED_KEPT = 1_000;

/** A time as JetStream writes it. */
export function timeOf(nanoseconds: string): Date {
  return new Date(Number(nanoseconds.slice(0, -6)));
}

/**
 * All messages share one `InFlight`: there are tens of thousands a second, and it only counts. First deliveries only rise, in sequence
 * and in time, so the oldest of these is the first in a map, which keeps the order of insertion; redelivered ones stand apart.
 */
export function trackInFlight(ackWaitMs: number): InFlightMessages {
  const rising = new Map<number, Stored>();
  const redelivered = new Map<number, Stored>();
  let highest = 0;
  const postponed = new Map<number, Postponed>();
  let limit = POSTPONED_KEPT;
  /** The broker has redelivered these, to whomever. */
  const dropOld = (now: number) => {
    for (const [seq, { until }] of postponed) if (until + ackWaitMs <= now) postponed.delete(seq);
    limit = Math.max(POSTPONED_KEPT, 2 * postponed.size);
  };
  const notDue = () => {
    const now = performance.now();
    return [...postponed.values()].filter(({ until }) => until > now);
  };
  const inFlight: InFlight = {
    end: (seq) => {
      if (!rising.delete(seq)) redelivered.delete(seq);
    },
    postpone: (seq, delayMs, nanoseconds) => {
      const now = performance.now();
      postponed.set(seq, { until: now + delayMs, nanoseconds });
      if (postponed.size > limit) dropOld(now);
    },
  };
  return {
    begin: (seq, message) => {
      if (postponed.size > 0) postponed.delete(seq);
      if (rising.size === 0 || seq > highest) {
        rising.set(seq, message);
        highest = seq;
      } else redelivered.set(seq, message);
      return inFlight;
    },
    has: (seq) => rising.has(seq) || redelivered.has(seq),
    outstanding: () => rising.size + redelivered.size + notDue().length,
    postponed: () => {
      const now = performance.now();
      dropOld(now);
      return new Map([...postponed].map(([seq, { until }]) => [seq, Math.max(0, until - now)]));
    },
    oldest: () => {
      const [first] = rising.values();
      let oldest = first?.nanoseconds;
      // Of equal length until the year 2286, so they compare as texts do.
      for (const { nanoseconds } of [...redelivered.values(), ...notDue()])
        if (oldest === undefined || nanoseconds < oldest) oldest = nanoseconds;
      return oldest === undefined ? undefined : timeOf(oldest);
    },
  };
}
