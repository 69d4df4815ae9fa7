import type { Logger, StreamDefinition } from "../definition.js";
import { createAdmission, type Publishing } from "./admission.js";
import type { Seat } from "./leader-lease.js";
import { createHorizon } from "./low-watermark.js";
import {
  type Backlog,
  buryRows,
  markBusy,
  measureBacklog,
  type RefusedRow,
  readPage,
} from "./outbox-statements.js";
import type { Lanes, OutboxRow } from "./per-key-queues.js";

/** Of the events of one page that must not be published, so many are told with their reasons; all have them on record. */
const LOGGED = 20;
const PAGE_ROWS = 2_000;
const PAGE_BYTES = 8 * 1_024 * 1_024;
/** No page is read while more rows than these are held. */
const HELD = 4_000;

/** Without a notification. Rare, unless writers may have been told to spare themselves the notifying. */
const POLL_MS = 500;
const BUSY_POLL_MS = 5;
/** A page of so many rows, and writers need not notify: the relay is looking all the time. */
const BUSY_ROWS = 100;
/** Busy lasts this long beyond the last such page; polls stay frequent as long again, for writers that began before. */
const BUSY_LASTS_MS = 1_000;

/** A transaction that runs longer is set aside by the horizon. */
const LONG_TRANSACTION_MS = 2_000;
/** For what the horizon cannot know of: rows put in by hand below what is settled. */
const SWEEP_EVERY_MS = 10_000;
const GAUGE_EVERY_MS = 5_000;

export interface ReaderContext {
  readonly seat: Seat;
  readonly stream: StreamDefinition;
  readonly publishing: Publishing;
  readonly logger: Logger;
  readonly onBacklog: (found: Backlog) => void;
}

export interface Reader {
  /** There is something new. */
  expect(): void;
  /** Does one statement's worth of what is due. False when nothing is. */
  step(now: number): Promise<boolean>;
  /** When something is due next, by `performance.now()`. */
  nextAt(): number;
}

/** Fills the lanes from the outbox, in order, and keeps the `busy` flag. */
export function createReader(context: ReaderContext, lanes: Lanes): Reader {
  const { seat, stream, logger } = context;
  const refusalOf = createAdmission(context.publishing);
  const horizon = createHorizon(LONG_TRANSACTION_MS);
  /** Everything visible up to here was read, but for what the horizon knows of. */
  let position = 0;
  let expected = true;
  let pollAt = 0;
  /** A pass over all that was read before: `after` moves up to `upTo`. Nothing newer is read until it is through. */
  let sweep: { after: number; readonly upTo: number } | undefined;
  let sweepAt = performance.now() + SWEEP_EVERY_MS;
  let busy = false;
  let busyAt = Number.NEGATIVE_INFINITY;
  let gaugeAt = 0;

  const startSweep = () => {
    sweep = { after: 0, upTo: position };
    sweepAt = performance.now() + SWEEP_EVERY_MS;
  };
  const accept = async (rows: readonly OutboxRow[]) => {
    const refused: RefusedRow[] = [];
    const admitted = rows.filter((row) => {
      const error = refusalOf(row);
      if (error !== undefined) refused.push({ row, error });
      return error === undefined;
    });
    lanes.add(admitted);
    if (refused.length === 0) return;
    await buryRows(seat, refused, stream.name);
    const letters = refused.map(({ row, error }) => ({ subject: row.subject, eventId: row.eventId, error }));
    logger.error(
      { rows: letters.length, ...letters[0], first: letters.slice(0, LOGGED) },
      "events in the outbox that must not be published became dead letters (mesh dlq list)",
    );
  };
  const readSwept = async ({ after, upTo }: { after: number; upTo: number }) => {
    const page = await readPage(seat, {
      after,
      upTo,
      known: lanes.known(after),
      rows: PAGE_ROWS,
      bytes: PAGE_BYTES,
    });
    const last = page.rows.at(-1)?.seq;
    sweep = page.full && last !== undefined ? { after: last, upTo } : undefined;
    await accept(page.rows);
  };
  const readNewer = async (now: number) => {
    // Before the statement: what commits while it runs rings again.
    expected = false;
    pollAt = now + (now < busyAt + 2 * BUSY_LASTS_MS ? BUSY_POLL_MS : POLL_MS);
    const after = horizon.settled();
    const limits = { after, upTo: Number.MAX_SAFE_INTEGER, known: lanes.known(after) };
    const page = await readPage(seat, { ...limits, rows: PAGE_ROWS, bytes: PAGE_BYTES });
    const last = page.rows.at(-1)?.seq ?? 0;
    const upTo = page.full ? last : Math.max(position, last);
    if (!horizon.accept({ ...page, upTo }, now)) {
      expected = true;
      return startSweep();
    }
    position = Math.max(position, upTo);
    expected ||= page.full;
    if (page.rows.length >= BUSY_ROWS) busyAt = now;
    await accept(page.rows);
    if (!page.full && lanes.held() === 0 && page.rows.length === 0)
      context.onBacklog({ rows: 0, oldestSeconds: 0 });
  };
  const adjustBusy = async (wanted: boolean) => {
    busy = wanted;
    await markBusy(seat, busy);
    expected = true;
  };
  const gauge = async (now: number) => {
    gaugeAt = now + GAUGE_EVERY_MS;
    context.onBacklog(await measureBacklog(seat));
  };

  const room = () => lanes.held() < HELD;
  return {
    expect: () => {
      expected = true;
    },
    async step(now) {
      if (lanes.unpark(now) || sweepAt <= now) startSweep();
      const recentlyBusy = now < busyAt + BUSY_LASTS_MS;
      if (recentlyBusy !== busy) await adjustBusy(recentlyBusy);
      else if (gaugeAt <= now) await gauge(now);
      else if (sweep && room()) await readSwept(sweep);
      else if (!sweep && room() && (expected || pollAt <= now)) await readNewer(now);
      else return false;
      return true;
    },
    nextAt: () => {
      const busyEnds = busy ? busyAt + BUSY_LASTS_MS : Number.POSITIVE_INFINITY;
      const read = room() ? pollAt : Number.POSITIVE_INFINITY;
      return Math.min(read, sweepAt, gaugeAt, busyEnds, lanes.nextUnpark());
    },
  };
}
