/*
 * Rows that are new can be inserted without looking for a conflict first, at half the cost; one that is
 * there after all refuses the whole statement. Worth trying while it works.
 */

export interface Newcomers {
  /** Once per batch: may what is created be taken for new? */
  expected(): boolean;
  /** It was not: a redelivery, or a row that refers to an entity came before it. */
  refused(): void;
  accepted(): void;
}

const LONGEST_PAUSE = 1_024;

/** After each refusal in a row, twice as many batches go by before the next try: a replay costs a handful. */
export function createNewcomers(): Newcomers {
  let pause = 0;
  let left = 0;
  return {
    expected() {
      if (left === 0) return true;
      left -= 1;
      return false;
    },
    refused() {
      pause = Math.min(Math.max(1, pause * 2), LONGEST_PAUSE);
      left = pause;
    },
    accepted() {
      pause = 0;
    },
  };
}
