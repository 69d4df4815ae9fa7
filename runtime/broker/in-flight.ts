/** How a delivered message says what has become of it. */
export interface InFlight {
  /** It is settled. */
  end(seq: number): void;
  /** It was handed back with a delay: it comes to nobody until then, and counts as outstanding. */
  postpone(delayMs: number): void;
}

/** Messages that were delivered to one pull subscription. */
export interface InFlightMessages {
  begin(seq: number): InFlight;
  /** Whether this message is neither settled nor handed back. */
  has(seq: number): boolean;
  /** Those, and the postponed ones that are not due again. */
  outstanding(): number;
}

/** Entries above which those that are due again are dropped. */
const POSTPONED_KEPT = 1_000;

/** All messages share one `InFlight`: there are tens of thousands a second, and it only counts. */
export function trackInFlight(): InFlightMessages {
  let open = 0;
  const seqs = new Set<number>();
  let postponed: number[] = [];
  let limit = POSTPONED_KEPT;
  const dropDue = () => {
    const now = performance.now();
    postponed = postponed.filter((until) => until > now);
    limit = Math.max(POSTPONED_KEPT, 2 * postponed.length);
  };
  const inFlight: InFlight = {
    end: (seq) => {
      open -= 1;
      seqs.delete(seq);
    },
    postpone: (delayMs) => {
      postponed.push(performance.now() + delayMs);
      if (postponed.length > limit) dropDue();
    },
  };
  return {
    begin: (seq) => {
      open += 1;
      seqs.add(seq);
      return inFlight;
    },
    has: (seq) => seqs.has(seq),
    outstanding: () => {
      dropDue();
      return open + postponed.length;
    },
  };
}
