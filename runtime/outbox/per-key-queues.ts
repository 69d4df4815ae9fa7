/*
 * The rows that the relay has read, one queue per entity. Of each entity one row at most is in flight, so its next event
 * cannot overtake a publish that fails.
 */

export interface OutboxRow {
  readonly seq: number;
  readonly eventId: string;
  readonly subject: string;
  /** The key of its queue: what all subjects of its entity begin with, `auth.user.42`. */
  readonly key: string;
  /** Text until it is published: thousands of small buffers would keep the garbage collector busy. */
  readonly body: string;
  readonly headers: Readonly<Record<string, string>> | undefined;
}

export interface PerKeyQueues {
  /** Takes rows in outbox order. Skips those that are known, and those of a quarantined entity. */
  add(rows: readonly OutboxRow[]): void;
  /** A row to publish now. Its entity has no other until `done` or `quarantine`. */
  next(): OutboxRow | undefined;
  /** Published. The sequence stays known until `forget`, so that it is not read again before its row is deleted. */
  done(row: OutboxRow): void;
  /** Their rows are deleted. */
  forget(seqs: readonly number[]): void;
  /** Drops the rows of the row's entity, and accepts none until the time. A full rescan reads them again. */
  quarantine(row: OutboxRow, until: number): void;
  /** How often the entity was quarantined since its last success. */
  failures(row: OutboxRow): number;
  /** Ends the quarantines whose time has come. True where there were any: a full rescan is due. */
  endQuarantines(now: number): boolean;
  /** When the next quarantine ends; Infinity where there is none. */
  nextEnd(): number;
  /** A full rescan has ended. Forgets the failures of entities of which it found no row: somebody deleted the refused one. */
  endRescan(): void;
  /** Sequences above `after` of rows that are queued, in flight, or published and not deleted. */
  known(after: number): readonly number[];
  /** The lowest sequence of rows that are known, or of quarantined entities; Infinity where there is none. */
  lowest(): number;
  /** Rows that are queued or in flight, with their bodies. */
  size(): number;
  /** Entities that were quarantined since their last success. */
  refused(): number;
}

/** The queue of an entity that has one row only, as nearly all have; never written to. */
const EMPTY: OutboxRow[] = [];

export function createPerKeyQueues(): PerKeyQueues {
  const known = new Set<number>();
  const queues = new Map<string, OutboxRow[]>();
  const quarantinedUntil = new Map<string, number>();
  /** The lowest sequence of each quarantined entity. */
  const quarantinedFrom = new Map<string, number>();
  const failures = new Map<string, number>();
  let ready: OutboxRow[] = [];
  let head = 0;
  let size = 0;

  const deferFrom = ({ key, seq }: OutboxRow) => {
    quarantinedFrom.set(key, Math.min(seq, quarantinedFrom.get(key) ?? seq));
  };
  const enqueue = (row: OutboxRow) => {
    const { key } = row;
    if (known.has(row.seq)) return;
    if (quarantinedUntil.has(key)) return deferFrom(row);
    known.add(row.seq);
    size += 1;
    const waiting = queues.get(key);
    if (!waiting) {
      queues.set(key, EMPTY);
      ready.push(row);
    } else if (waiting === EMPTY) queues.set(key, [row]);
    else waiting.push(row);
  };

  return {
    add(rows) {
      for (const row of rows) enqueue(row);
    },
    next() {
      const row = ready[head];
      if (!row) return undefined;
      head += 1;
      // Rows that were taken are kept no longer than needed; where many wait, moving them for each would cost more.
      if (head === ready.length || (head > 1_024 && head * 2 > ready.length)) {
        ready = ready.slice(head);
        head = 0;
      }
      return row;
    },
    done(row) {
      const { key } = row;
      size -= 1;
      if (failures.size > 0) failures.delete(key);
      const successor = queues.get(key)?.shift();
      if (successor) ready.push(successor);
      else queues.delete(key);
    },
    forget(seqs) {
      for (const seq of seqs) known.delete(seq);
    },
    quarantine(row, until) {
      const { key } = row;
      const waiting = queues.get(key) ?? EMPTY;
      queues.delete(key);
      for (const { seq } of [row, ...waiting]) known.delete(seq);
      size -= 1 + waiting.length;
      quarantinedUntil.set(key, until);
      deferFrom(row);
      failures.set(key, (failures.get(key) ?? 0) + 1);
    },
    failures: (row) => failures.get(row.key) ?? 0,
    endQuarantines(now) {
      const before = quarantinedUntil.size;
      for (const [key, until] of quarantinedUntil) {
        if (until > now) continue;
        quarantinedUntil.delete(key);
        quarantinedFrom.delete(key);
      }
      return quarantinedUntil.size < before;
    },
    nextEnd() {
      let soonest = Number.POSITIVE_INFINITY;
      for (const until of quarantinedUntil.values()) soonest = Math.min(soonest, until);
      return soonest;
    },
    endRescan() {
      for (const key of failures.keys())
        if (!quarantinedUntil.has(key) && !queues.has(key)) failures.delete(key);
    },
    known: (after) => {
      const beyond: number[] = [];
      for (const seq of known) if (seq > after) beyond.push(seq);
      return beyond;
    },
    lowest() {
      let lowest = Number.POSITIVE_INFINITY;
      for (const seq of known) lowest = Math.min(lowest, seq);
      for (const seq of quarantinedFrom.values()) lowest = Math.min(lowest, seq);
      return lowest;
    },
    size: () => size,
    refused: () => failures.size,
  };
}
