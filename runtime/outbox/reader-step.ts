/*
 * What the outbox reader does next, decided without input or output.
 */

export type ReaderStep =
  /** Tell writers that they need not notify, or that they must again. */
  | "switch-notify-suppression"
  | "measure-backlog"
  /** Read the next page of a full rescan. */
  | "rescan"
  /** Read rows above the low watermark. */
  | "read"
  /** Nothing is due. */
  | "wait";

/** Poll interval in ms while writers notify: for notifications that were lost. */
export const POLL_MS = 500;
/** Poll interval in ms while notifications may be suppressed. */
export const SUPPRESSED_POLL_MS = 5;
/** Notify suppression lasts this long after many writers were last seen. Polls stay frequent as long again, for writers that began before. */
export const SUPPRESSION_LASTS_MS = 1_000;

/** All times by `performance.now()`. */
export interface ReaderState {
  /** The last switch that was written: writers do not notify. */
  readonly suppressed: boolean;
  /** When a page was last read that shows many writers. */
  readonly busyAt: number;
  readonly backlogAt: number;
  readonly pollAt: number;
  /** A full rescan is under way: nothing newer is read before it ends. */
  readonly rescanning: boolean;
  /** Few enough rows are queued to read more. */
  readonly hasRoom: boolean;
  /** A notification has come, or the last page was full. */
  readonly expectsRows: boolean;
}

/** After a page of so many rows the relay polls so often that writers need not notify. */
const MANY_ROWS = 100;
/**
 * So many transactions at once queue at the server's lock for notifications: it is held while a commit is flushed, so that each flushes
 * alone. The queue itself keeps pages small, so rows do not show it.
 */
const MANY_TRANSACTIONS = 16;

/** Whether a page shows so many writers that their notifications are to be suppressed. `running`: transactions as it was read. */
export function showsManyWriters({
  rows,
  running,
}: {
  readonly rows: number;
  readonly running: number;
}): boolean {
  return rows >= MANY_ROWS || (rows > 0 && running >= MANY_TRANSACTIONS);
}

/** Whether notifications should be suppressed: while many write, a commit needs none. */
export function wantsSuppression({ busyAt }: Pick<ReaderState, "busyAt">, now: number): boolean {
  return now < busyAt + SUPPRESSION_LASTS_MS;
}

export function chooseStep(state: ReaderState, now: number): ReaderStep {
  if (wantsSuppression(state, now) !== state.suppressed) return "switch-notify-suppression";
  if (state.backlogAt <= now) return "measure-backlog";
  if (!state.hasRoom) return "wait";
  if (state.rescanning) return "rescan";
  return state.expectsRows || state.pollAt <= now ? "read" : "wait";
}

/** How long to wait after a read before the next poll. */
export function pollAfterMs({ busyAt }: Pick<ReaderState, "busyAt">, now: number): number {
  return now < busyAt + 2 * SUPPRESSION_LASTS_MS ? SUPPRESSED_POLL_MS : POLL_MS;
}

/** When a step other than `wait` is due next, where no notification comes. A full rescan has its own time. */
export function nextStepAt({ suppressed, busyAt, backlogAt, pollAt, hasRoom }: ReaderState): number {
  const suppressionEnds = suppressed ? busyAt + SUPPRESSION_LASTS_MS : Number.POSITIVE_INFINITY;
  return Math.min(backlogAt, suppressionEnds, hasRoom ? pollAt : Number.POSITIVE_INFINITY);
}
