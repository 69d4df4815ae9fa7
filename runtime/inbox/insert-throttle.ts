/*
 * The optimistic-insert throttle. Rows that are new can be inserted without looking for a conflict first, at half the
 * cost; one that exists after all refuses the whole statement. So this is tried only while it works.
 */

export interface InsertThrottle {
  /** Call once per batch: may what is created be inserted as new? */
  mayTry(): boolean;
  /** A row existed: a redelivery, or a row that refers to the entity came before its `created`. */
  conflicted(): void;
  succeeded(): void;
}

const LONGEST_PAUSE = 1_024;

/** After each conflict in a row, twice as many batches go by before the next try, up to 1024: a replay costs a handful. */
export function createInsertThrottle(): InsertThrottle {
  let pause = 0;
  let left = 0;
  return {
    mayTry() {
      if (left === 0) return true;
      left -= 1;
      return false;
    },
    conflicted() {
      pause = Math.min(Math.max(1, pause * 2), LONGEST_PAUSE);
      left = pause;
    },
    succeeded() {
      pause = 0;
    },
  };
}
