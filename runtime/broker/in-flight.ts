/** What a message tells the intake that lent it. */
export interface Loan {
  /** It is settled. */
  end(seq: number): void;
  /** It comes to nobody before the delay has passed, and counts as lent until then. */
  postpone(delayMs: number): void;
}

export interface Loans {
  begin(seq: number): Loan;
  /** Neither settled nor handed back. */
  holds(seq: number): boolean;
  count(): number;
}

/** Postponed messages that are kept before those which are due are forgotten. */
const FEW = 1_000;

/** All messages share one `Loan`: there are tens of thousands a second, and it only counts. */
export function countLoans(): Loans {
  let open = 0;
  const seqs = new Set<number>();
  let postponed: number[] = [];
  let room = FEW;
  const forgetDue = () => {
    const now = performance.now();
    postponed = postponed.filter((until) => until > now);
    room = Math.max(FEW, 2 * postponed.length);
  };
  const loan: Loan = {
    end: (seq) => {
      open -= 1;
      seqs.delete(seq);
    },
    postpone: (delayMs) => {
      postponed.push(performance.now() + delayMs);
      if (postponed.length > room) forgetDue();
    },
  };
  return {
    begin: (seq) => {
      open += 1;
      seqs.add(seq);
      return loan;
    },
    holds: (seq) => seqs.has(seq),
    count: () => {
      forgetDue();
      return open + postponed.length;
    },
  };
}
