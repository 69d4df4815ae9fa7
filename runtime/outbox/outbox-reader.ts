import type { Logger } from "../definition/hook-definition.js";
import type { StreamDefinition } from "../definition/stream-definition.js";
import { createAdmission, type Publishing } from "./admission.js";
import type { LeaderLease } from "./leader-lease.js";
import { createLowWatermark } from "./low-watermark.js";
import {
  type Backlog,
  deadLetterRows,
  measureBacklog,
  type RefusedRow,
  readPage,
  suppressNotify,
} from "./outbox-statements.js";
import type { OutboxRow, PerKeyQueues } from "./per-key-queues.js";
import {
  chooseStep,
  countCrowded,
  NO_CROWD,
  nextStepAt,
  pollAfterMs,
  type ReaderState,
  showsManyWriters,
  wantsSuppression,
} from "./reader-step.js";

/** Of the events of one page that must not be published, so many are logged; all are dead letters. */
const LOGGED = 20;
const PAGE_ROWS = 1_000;
const PAGE_BYTES = 8 * 1_024 * 1_024;
/** No page is read while more rows than these are queued or in flight: twice those in flight. More would only outlive the young generation. */
const QUEUED_ROWS = 2_000;
/** A transaction that runs for longer is set aside by the low watermark. */
const LONG_TRANSACTION_MS = 2_000;
/** Finds what the low watermark cannot know of: rows that somebody inserted by hand below it. */
const RESCAN_EVERY_MS = 10_000;
/** And not before so many times what the last one took: while vacuum is held back, it reads through all rows deleted meanwhile. */
const RESCAN_COSTS = 100;
const BACKLOG_EVERY_MS = 5_000;

export interface ReaderContext {
  readonly lease: LeaderLease;
  readonly stream: StreamDefinition;
  readonly publishing: Publishing;
  readonly logger: Logger;
  readonly onBacklog: (found: Backlog) => void;
}

export interface Reader {
  /** A notification has come: there are new rows. */
  notify(): void;
  /** Runs the one statement that is due. False where none is. */
  step(now: number): Promise<boolean>;
  /** When a statement is due next, by `performance.now()`. */
  nextAt(): number;
  /** The sequence up to which all rows are deleted, those apart that somebody inserted by hand below it. */
  releasedTo(): number;
}

/** Fills the queues from the outbox, in order, and switches notify suppression. */
export function createReader(context: ReaderContext, queues: PerKeyQueues): Reader {
  const { lease, stream, logger } = context;
  const refusalOf = createAdmission(context.publishing);
  const lowWatermark = createLowWatermark(LONG_TRANSACTION_MS);
  /** Every visible row up to here was read, except those that the low watermark still waits for. */
  let position = 0;
  let expectsRows = true;
  let pollAt = 0;
  /** A full rescan of what was read before: `after` moves up to `upTo`. Rows that wait for it lie above `floor`. */
  let rescan: { after: number; readonly upTo: number; readonly floor: number } | undefined;
  let rescanStarted = 0;
  let rescanAt = performance.now() + RESCAN_EVERY_MS;
  let suppressed = false;
  let busyAt = Number.NEGATIVE_INFINITY;
  let crowd = NO_CROWD;
  let backlogAt = 0;

  const state = (): ReaderState => ({
    suppressed,
    busyAt,
    backlogAt,
    pollAt,
    rescanning: rescan !== undefined,
    hasRoom: queues.size() < QUEUED_ROWS,
    expectsRows,
  });
  /** By sequence: what was read before and may be there still lies above. */
  const floor = (watermark = lowWatermark.floor()) =>
    Math.max(0, Math.min(watermark, queues.lowest() - 1, rescan?.floor ?? Number.POSITIVE_INFINITY));
  const startRescan = (from: { readonly after: number; readonly floor: number }) => {
    rescan = { ...from, upTo: position };
    rescanStarted = performance.now();
    rescanAt = rescanStarted + RESCAN_EVERY_MS;
  };
  const accept = async (rows: readonly OutboxRow[]) => {
    const refused: RefusedRow[] = [];
    const admitted = rows.filter((row) => {
      const error = refusalOf(row);
      if (error !== undefined) refused.push({ row, error });
      return error === undefined;
    });
    queues.add(admitted);
    if (refused.length === 0) return;
    await deadLetterRows(lease, refused, stream.name);
    const letters = refused.map(({ row, error }) => ({ subject: row.subject, eventId: row.eventId, error }));
    logger.error(
      { rows: letters.length, ...letters[0], first: letters.slice(0, LOGGED) },
      "events in the outbox that must not be published became dead letters (mesh dlq list)",
    );
  };
  const readRescanned = async () => {
    if (rescan === undefined) return;
    const { after, upTo, floor: above } = rescan;
    const page = await readPage(lease, {
      after,
      upTo,
      known: queues.known(after),
      rows: PAGE_ROWS,
      bytes: PAGE_BYTES,
    });
    const last = page.rows.at(-1)?.seq;
    rescan = page.full && last !== undefined ? { after: last, upTo, floor: above } : undefined;
    await accept(page.rows);
    if (rescan !== undefined) return;
    queues.endRescan();
    const ended = performance.now();
    rescanAt = ended + Math.max(RESCAN_EVERY_MS, RESCAN_COSTS * (ended - rescanStarted));
  };
  const readNewer = async (now: number) => {
    // Before the statement: rows that commit while it runs notify again.
    expectsRows = false;
    pollAt = now + pollAfterMs({ busyAt }, now);
    const after = lowWatermark.value();
    const limits = { after, upTo: Number.MAX_SAFE_INTEGER, known: queues.known(after) };
    const page = await readPage(lease, { ...limits, rows: PAGE_ROWS, bytes: PAGE_BYTES });
    const last = page.rows.at(-1)?.seq ?? 0;
    const upTo = page.full ? last : Math.max(position, last);
    const watermark = lowWatermark.floor();
    if (!lowWatermark.accept({ ...page, upTo }, now)) {
      expectsRows = true;
      const after = floor(watermark);
      return startRescan({ after, floor: after });
    }
    position = Math.max(position, upTo);
    expectsRows ||= page.full;
    const read = { rows: page.rows.length, running: lowWatermark.running() };
    crowd = countCrowded(crowd, read, now);
    if (showsManyWriters(read, { crowd, suppressed })) busyAt = now;
    await accept(page.rows);
    if (!page.full && queues.size() === 0 && page.rows.length === 0)
      context.onBacklog({ rows: 0, oldestSeconds: 0 });
  };
  const switchSuppression = async (now: number) => {
    suppressed = wantsSuppression({ busyAt }, now);
    await suppressNotify(lease, suppressed);
    expectsRows = true;
  };
  const measure = async (now: number) => {
    backlogAt = now + BACKLOG_EVERY_MS;
    context.onBacklog(await measureBacklog(lease, floor()));
  };

  return {
    notify: () => {
      expectsRows = true;
    },
    async step(now) {
      if (queues.nextEnd() <= now) {
        // While the queues know how far back those entities go.
        const after = floor();
        queues.endQuarantines(now);
        startRescan({ after, floor: after });
      } else if (rescanAt <= now) startRescan({ after: 0, floor: floor() });
      const step = chooseStep(state(), now);
      switch (step) {
        case "switch-notify-suppression":
          await switchSuppression(now);
          return true;
        case "measure-backlog":
          await measure(now);
          return true;
        case "rescan":
          await readRescanned();
          return true;
        case "read":
          await readNewer(now);
          return true;
        case "wait":
          return false;
        default:
          return step satisfies never;
      }
    },
    releasedTo: () => floor(),
    nextAt: () => Math.min(nextStepAt(state()), rescanAt, queues.nextEnd()),
  };
}
