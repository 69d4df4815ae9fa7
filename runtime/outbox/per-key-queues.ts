/*
 * The rows that the relay holds, one lane per entity: of each entity one row at most is under way, so a
 * publish that fails cannot be overtaken by its successor.
 */

export interface OutboxRow {
  readonly seq: number;
  readonly eventId: string;
  readonly subject: string;
  /** What the subjects of one entity have in common. */
  readonly entity: string;
  /** Text until it leaves: thousands of small buffers held at once keep the garbage collector busy. */
  readonly body: string;
  readonly headers: Readonly<Record<string, string>> | undefined;
}

export interface Lanes {
  /** Takes rows in outbox order. Those it knows, and those of a parked entity, are passed over. */
  add(rows: readonly OutboxRow[]): void;
  /** A row that may be published now. It blocks its entity until `done` or `park`. */
  next(): OutboxRow | undefined;
  /** Published. Its sequence stays known until `forget`, lest it be read again before its deletion. */
  done(row: OutboxRow): void;
  forget(seqs: readonly number[]): void;
  /** Sets the row's entity aside until the time. Its rows are no longer held: a later sweep reads them again. */
  park(row: OutboxRow, until: number): void;
  /** How often the entity was parked since its last success. */
  strikes(row: OutboxRow): number;
  /** Lets entities whose time has come back in. True if there were any: then sweep. */
  unpark(now: number): boolean;
  /** When the next parked entity is due. */
  nextUnpark(): number;
  /** Every sequence beyond that one which is held, or published and not yet deleted. */
  known(after: number): readonly number[];
  /** Rows held with their bodies: waiting or under way. */
  held(): number;
  parked(): number;
}

/** Shared by all entities that have one row only, which is nearly all of them. */
const NONE: OutboxRow[] = [];

export function createLanes(): Lanes {
  const known = new Set<number>();
  const lanes = new Map<string, OutboxRow[]>();
  const parkedUntil = new Map<string, number>();
  const strikes = new Map<string, number>();
  let ready: OutboxRow[] = [];
  let head = 0;
  let held = 0;

  const enqueue = (row: OutboxRow) => {
    const { entity } = row;
    if (known.has(row.seq) || parkedUntil.has(entity)) return;
    known.add(row.seq);
    held += 1;
    const waiting = lanes.get(entity);
    if (!waiting) {
      lanes.set(entity, NONE);
      ready.push(row);
    } else if (waiting === NONE) lanes.set(entity, [row]);
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
      if (head > 1_024 && head * 2 > ready.length) {
        ready = ready.slice(head);
        head = 0;
      }
      return row;
    },
    done(row) {
      const { entity } = row;
      held -= 1;
      if (strikes.size > 0) strikes.delete(entity);
      const successor = lanes.get(entity)?.shift();
      if (successor) ready.push(successor);
      else lanes.delete(entity);
    },
    forget(seqs) {
      for (const seq of seqs) known.delete(seq);
    },
    park(row, until) {
      const { entity } = row;
      const waiting = lanes.get(entity) ?? NONE;
      lanes.delete(entity);
      for (const { seq } of [row, ...waiting]) known.delete(seq);
      held -= 1 + waiting.length;
      parkedUntil.set(entity, until);
      strikes.set(entity, (strikes.get(entity) ?? 0) + 1);
    },
    strikes: (row) => strikes.get(row.entity) ?? 0,
    unpark(now) {
      const before = parkedUntil.size;
      for (const [entity, until] of parkedUntil) if (until <= now) parkedUntil.delete(entity);
      return parkedUntil.size < before;
    },
    nextUnpark() {
      let soonest = Number.POSITIVE_INFINITY;
      for (const until of parkedUntil.values()) soonest = Math.min(soonest, until);
      return soonest;
    },
    known: (after) => {
      const beyond: number[] = [];
      for (const seq of known) if (seq > after) beyond.push(seq);
      return beyond;
    },
    held: () => held,
    parked: () => parkedUntil.size,
  };
}
