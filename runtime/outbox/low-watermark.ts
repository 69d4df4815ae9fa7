/*
 * The low watermark of the outbox: the sequence up to which every row has been seen. A sequence is taken before its
 * transaction commits, so rows appear out of order. A reader that only goes forward would miss rows that commit late; one that
 * always starts at the beginning would read through the dead index entries of all published rows.
 *
 * `pg_current_snapshot()` tells which transactions are running among those that began before the newest one that has ended. It
 * tells nothing of later ones, and one of them may have taken a sequence below a row that is visible. So a read that finds
 * rows also takes a transaction id. Once every transaction with a lower id has ended, none can add a row below that read,
 * and the watermark rises to it.
 *
 * A transaction that runs for long is set aside instead of holding the watermark down. When it ends, all rows are read again
 * from the beginning before any newer one is published, for newer rows may be of the same entities.
 */

/** What one statement saw of every transaction of the server. */
export interface Snapshot {
  /** Transactions with this id or a higher one were running, or had not begun. */
  readonly next: number;
  /** Transactions below `next` that had not ended. */
  readonly running: ReadonlySet<number>;
}

/** A read of the outbox. */
export interface Seen {
  readonly snapshot: Snapshot;
  /** The read has seen every visible row up to this sequence. */
  readonly upTo: number;
  /** Id of a transaction that began after the rows were seen; undefined where there were no rows. */
  readonly later: number | undefined;
}

/** Reads the text form `xmin:xmax:xip,xip`. */
export function parseSnapshot(text: string): Snapshot {
  const [, next = "", running = ""] = text.split(":");
  return { next: Number(next), running: new Set(running === "" ? [] : running.split(",").map(Number)) };
}

export interface LowWatermark {
  /** Transactions that were running at the last read, without those that are set aside. */
  running(): number;
  /** No row at or below this sequence can appear any more, except from transactions that are set aside. */
  value(): number;
  /** No row at or below this one can appear any more from any of them. */
  floor(): number;
  /**
   * Takes note of a read that began after `value()`. False where a transaction that was set aside has ended: the rows of this read
   * must not be published before a full rescan.
   */
  accept(seen: Seen, now: number): boolean;
}

interface Mark {
  upTo: number;
  /** Only transactions below this id may still add a row below `upTo`. */
  readonly before: number;
}

export function createLowWatermark(setAsideAfterMs: number): LowWatermark {
  let value = 0;
  const marks: Mark[] = [];
  const firstSeen = new Map<number, number>();
  /** The watermark that each held down until it was set aside: its rows lie above. */
  const aside = new Map<number, number>();

  const observe = ({ running }: Snapshot, now: number) => {
    for (const known of firstSeen.keys()) if (!running.has(known)) firstSeen.delete(known);
    for (const transaction of running) {
      const since = firstSeen.get(transaction);
      if (since === undefined) firstSeen.set(transaction, now);
      else if (now - since > setAsideAfterMs) aside.set(transaction, aside.get(transaction) ?? value);
    }
  };
  const forgetEnded = ({ running }: Snapshot) => {
    const before = aside.size;
    for (const transaction of aside.keys()) if (!running.has(transaction)) aside.delete(transaction);
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
    running: () => [...firstSeen.keys()].filter((transaction) => !aside.has(transaction)).length,
    value: () => value,
    floor: () => Math.min(value, ...aside.values()),
    accept({ snapshot, upTo, later }, now) {
      if (forgetEnded(snapshot)) return false;
      observe(snapshot, now);
      // A full page that ends below an earlier one: late rows have filled it, and the rows behind them are unread.
      for (const mark of marks) mark.upTo = Math.min(mark.upTo, upTo);
      if (later !== undefined) marks.push({ upTo, before: later });
      const oldest = oldestRunning(snapshot);
      const open = marks.findIndex((mark) => mark.before > oldest);
      const passed = open === -1 ? marks.splice(0) : marks.splice(0, open);
      value = Math.max(value, passed.at(-1)?.upTo ?? 0);
      return true;
    },
  };
}
