/*
 * How far the outbox is settled. A sequence number is taken before its transaction commits, so rows
 * appear out of order: a reader that only goes forward would miss what commits late, and one that always starts
 * at the beginning wades through the dead index entries of everything already published.
 *
 * `pg_current_snapshot()` tells which transactions are running, of those that began before the last one to end; of later
 * ones it tells nothing, and one of them may have taken a sequence number before a row that is visible did. So whoever finds
 * rows takes a transaction id as well: what was read up to is settled once every transaction of a lower id has ended, for
 * none can add a row below it any more.
 * A transaction that runs on for long is set aside instead of holding the mark back; when it ends, everything is
 * read once from the beginning before anything newer is published, for newer rows may be of the same entities.
 */

/** What one statement saw, of every transaction of the server. */
export interface Snapshot {
  /** One more than the last transaction that had ended: those from here on were running, or had not begun. */
  readonly next: number;
  /** Begun before `next`, and not yet ended. */
  readonly running: ReadonlySet<number>;
}

/** What a read found. */
export interface Seen {
  readonly snapshot: Snapshot;
  /** Every row up to here was seen. */
  readonly upTo: number;
  /** A transaction that began after the rows were seen; undefined where there were none. */
  readonly later: number | undefined;
}

/** Reads the text form `xmin:xmax:xip,xip`. */
export function parseSnapshot(text: string): Snapshot {
  const [, next = "", running = ""] = text.split(":");
  return { next: Number(next), running: new Set(running === "" ? [] : running.split(",").map(Number)) };
}

export interface Horizon {
  /** Nothing at or below this sequence can appear any more, but from transactions that were set aside. */
  settled(): number;
  /**
   * Judges an ordinary read: one that began after `settled()`. False when a transaction that had been set aside
   * has ended: the rows must not be used, and all be read anew.
   */
  accept(seen: Seen, now: number): boolean;
}

interface Mark {
  upTo: number;
  /** Whoever may still add a row below is a transaction before this one. */
  readonly before: number;
}

export function createHorizon(setAsideAfterMs: number): Horizon {
  let settled = 0;
  const marks: Mark[] = [];
  const firstSeen = new Map<number, number>();
  const aside = new Set<number>();

  const observe = ({ running }: Snapshot, now: number) => {
    for (const known of firstSeen.keys()) if (!running.has(known)) firstSeen.delete(known);
    for (const transaction of running) {
      const since = firstSeen.get(transaction);
      if (since === undefined) firstSeen.set(transaction, now);
      else if (now - since > setAsideAfterMs) aside.add(transaction);
    }
  };
  const forgetEnded = ({ running }: Snapshot) => {
    const before = aside.size;
    for (const transaction of aside) if (!running.has(transaction)) aside.delete(transaction);
    return aside.size < before;
  };
  const oldestRunning = ({ running, next }: Snapshot) => {
    let oldest = next;
    for (const transaction of running) {
      if (transaction < oldest && !aside.has(transaction)) oldest = transaction;
    }
    return oldest;
  };

  return {
    settled: () => settled,
    accept({ snapshot, upTo, later }, now) {
      if (forgetEnded(snapshot)) return false;
      observe(snapshot, now);
      // A full page that ends before an earlier one did: late rows filled it, and those behind them are still unread.
      for (const mark of marks) mark.upTo = Math.min(mark.upTo, upTo);
      if (later !== undefined) marks.push({ upTo, before: later });
      const oldest = oldestRunning(snapshot);
      const open = marks.findIndex((mark) => mark.before > oldest);
      const passed = open === -1 ? marks.splice(0) : marks.splice(0, open);
      settled = Math.max(settled, passed.at(-1)?.upTo ?? 0);
      return true;
    },
  };
}
