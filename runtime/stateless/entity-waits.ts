/*
 * Which messages were put off here, by entity: one that failed until its back-off has passed, and those behind it. They come again
 * in any order, and are tried in that of the stream. In this process's memory: another replica does not know of them, and may
 * be given a later message of the entity meanwhile.
 */

export interface EntityWaits {
  /** For how many ms the message has to wait; 0: it may be tried now. */
  waitMs(entity: string, seq: number): number;
  /** It comes again after this time. */
  putOff(entity: string, seq: number, delayMs: number): void;
  /** The message was handled, or is a dead letter. */
  settled(entity: string, seq: number): void;
  /** Entities of which messages are put off. */
  count(): number;
}

/** A message is delivered this long after the one that it waits for. */
const FOLLOW_MS = 100;
/** The one that is waited for may have gone to another replica: its followers go on this long after it was due. */
const GRACE_MS = 5_000;

export function createEntityWaits(): EntityWaits {
  /** When each message is due, by sequence. */
  const waits = new Map<string, Map<number, number>>();
  const forgetLost = (entity: string, due: Map<number, number>, now: number) => {
    for (const [seq, at] of due) if (now > at + GRACE_MS) due.delete(seq);
    if (due.size === 0) waits.delete(entity);
  };
  return {
    waitMs(entity, seq) {
      const due = waits.get(entity);
      if (due === undefined) return 0;
      const now = Date.now();
      const own = (due.get(seq) ?? now) - now;
      forgetLost(entity, due, now);
      const first = Math.min(...due.keys());
      const ahead = first < seq ? Math.max((due.get(first) ?? now) - now, 0) + FOLLOW_MS : 0;
      return Math.max(own, ahead, 0);
    },
    putOff(entity, seq, delayMs) {
      const due = waits.get(entity) ?? new Map<number, number>();
      waits.set(entity, due.set(seq, Date.now() + delayMs));
    },
    settled(entity, seq) {
      const due = waits.get(entity);
      due?.delete(seq);
      if (due?.size === 0) waits.delete(entity);
    },
    count() {
      const now = Date.now();
      for (const [entity, due] of waits) forgetLost(entity, due, now);
      return waits.size;
    },
  };
}
