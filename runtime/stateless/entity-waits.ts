/*
 * Which entities wait here for a message of theirs that failed and is to be delivered again. In this process's memory: another
 * replica does not know of it, and may be given a later message of the entity meanwhile.
 */

export interface EntityWaits {
  /** For how many ms the message has to wait; 0: it may be tried now. */
  waitMs(entity: string, seq: number): number;
  failed(entity: string, seq: number, delayMs: number): void;
  /** The message was applied, or is a dead letter. */
  settled(entity: string, seq: number): void;
  count(): number;
}

interface Wait {
  readonly seq: number;
  readonly until: number;
}

/** A message is delivered this long after the one that it waits for. */
const FOLLOW_MS = 100;
/** The one that is waited for may have gone to another replica: its followers go on this long after it was due. */
const GRACE_MS = 5_000;

export function createEntityWaits(): EntityWaits {
  const waits = new Map<string, Wait>();
  return {
    waitMs(entity, seq) {
      const wait = waits.get(entity);
      if (wait === undefined || seq < wait.seq) return 0;
      const left = wait.until - Date.now();
      if (seq === wait.seq) return Math.max(left, 0);
      if (left > -GRACE_MS) return Math.max(left, 0) + FOLLOW_MS;
      waits.delete(entity);
      return 0;
    },
    failed(entity, seq, delayMs) {
      waits.set(entity, { seq, until: Date.now() + delayMs });
    },
    settled(entity, seq) {
      if (waits.get(entity)?.seq === seq) waits.delete(entity);
    },
    count() {
      for (const [entity, { until }] of waits) if (Date.now() > until + GRACE_MS) waits.delete(entity);
      return waits.size;
    },
  };
}
