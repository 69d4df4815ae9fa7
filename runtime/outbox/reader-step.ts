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
/** So many queue where it goes on: one page may have met them by chance. */
const SEVERAL_TRANSACTIONS = 4;
const CROWDED_PAGES = 16;
const CROWDED_WITHIN_MS = 100;

/** A page of new rows. `running`: transactions as it was read. */
export interface PageRead {
  readonly rows: number;
  readonly running: number;
}

/** Pages in a row, within a tenth of a second, that were read beside several transactions. */
export interface Crowd {
  readonly pages: number;
  readonly since: number;
}

export const NO_CROWD: Crowd = { pages: 0, since: Number.NEGATIVE_INFINITY };

export function countCrowded(crowd: Crowd, { rows, running }: PageRead, now: number): Crowd {
  // Its notification came after its rows had been read.
  if (rows === 0) return crowd;
  if (running < SEVERAL_TRANSACTIONS) return NO_CROWD;
  if (now > crowd.since + CROWDED_WITHIN_MS) return { pages: 1, since: now };
  return { pages: crowd.pages + 1, since: crowd.since };
}

/** Whether a page shows so many writers that their notifications are to be suppressed, or to stay so. */
export function showsManyWriters(
  { rows, running }: PageRead,
  { crowd, suppressed }: { readonly crowd: Crowd; readonly suppressed: boolean },
): boolean {
  if (rows === 0) return false;
  if (rows >= MANY_ROWS || running >= MANY_TRANSACTIONS) return true;
  return suppressed ? running >= SEVERAL_TRANSACTIONS : crowd.pages >= CROWDED_PAGES;
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
