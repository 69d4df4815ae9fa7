import type { Pool, PoolClient } from "pg";
import { readSnapshotRecord } from "../consumer/stream-epoch.js";
import type { Mutex } from "../database/mutex.js";
import { withClient } from "../database/transaction.js";
import type { Logger } from "../definition.js";
import { callHandlers } from "../inbox/apply.js";
import type { ConsumerModel } from "../inbox/consumer-model.js";
import { messageOf } from "../text/error-message.js";
import { noteExisting, toExisting } from "./existence.js";
import { findingsOf, hookedEvent, toLostEvent } from "./implied-hooks.js";
import { endFormerLives, endNotedLives, lockAll, wakeFor } from "./incarnations.js";
import { splitArray } from "./json-array.js";
import { beginChunk, type Chunk, mergeChunk, prepareChunk } from "./merge.js";
import { noteToldTwice, refuseDoubtful, removeMissing, untilHeard } from "./removal.js";
import { recordFailure, recordSuccess, releaseLock, tryLock } from "./snapshot-record.js";
import { type SnapshotRow, toRows } from "./snapshot-rows.js";
import { inParts, type Outcome, type Run, setAsideRows } from "./snapshot-run.js";
import { readSource, SnapshotFailed } from "./snapshot-source.js";
import {
  type Ahead,
  CREATE_AHEAD,
  describeAhead,
  overrule,
  readAhead,
  type Trusted,
} from "./source-trust.js";
import { createSetAside, describeUnfit, readElement, recordUnfit, type UnfitRow } from "./unfit-rows.js";

export interface SnapshotReport {
  /** Elements that the source has. */
  readonly rows: number;
  /** Rows that were not here, or not like that; without a cache, entities that were not known to exist. */
  readonly written: number;
  /** Rows, or without a cache entities heard of, that the source no longer has. */
  readonly removed: number;
  /** Rows that could not be taken: each was left as it was, and is named in `mesh status`. */
  readonly unfit: number;
  /** Of those, rows whose hook threw; the next snapshot, soon, finds them again. */
  readonly failed: number;
  /** Entities that are known here at versions beyond their source's; what it says of them was passed over. */
  readonly ahead: number;
  /** Entities of which the source's word was taken over the guard's, as it was told to. */
  readonly overruled: number;
  /** Effective sequence noted before the source was read. */
  readonly seq: number;
  readonly ms: number;
}

export interface SnapshotOptions {
  readonly pool: Pool;
  readonly model: ConsumerModel;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Effective sequence of the stream's last message now. Asked once the lock is held, before the source is read. */
  readonly noteSeq: () => Promise<number>;
  /** Every message up to this effective sequence was delivered, and is settled. Where it is missing nobody waits for that. */
  readonly settledUpTo?: (seq: number) => Promise<boolean>;
  /** Keeps a chunk and a batch of the same process from locking each other out. */
  readonly exclusively: Mutex;
  /** Rows were put down for the cascade worker, and are committed. */
  readonly onTasks: () => void;
  /** Unique values were in the way of rows: some may be left parked. */
  readonly onClash: () => void;
  readonly hookTimeoutMs?: number | undefined;
  /** Takes the source's word where the guard knows later versions. */
  readonly trustSource?: boolean;
}

const CHUNK_ROWS = 6_000;

/**
 * Makes the cache equal to its source; for a consumer without one, finds the deletions that it never
 * heard of. One replica at a time: undefined when another is at it.
 * Rejects with what is wrong; then nothing was deleted, and rows that were written are right.
 */
export async function takeSnapshot(options: SnapshotOptions): Promise<SnapshotReport | undefined> {
  const { durable } = options.model.definition;
  return await withClient(options.pool, async (client) => {
    if (!(await tryLock(client, durable))) return undefined;
    const wanted = (await readSnapshotRecord(client, durable))?.wanted ?? null;
    try {
      const report = await readTwiceWhereOverruled(options, client);
      await recordSuccess(client, durable, report, wanted);
      return report;
    } catch (error) {
      await recordFailure(options, messageOf(error));
      throw error;
    } finally {
      await releaseLock(client, durable, options.logger);
    }
  });
}

/**
 * What the guard was made to forget, the next reading merges, hooks and cascades included. That one is later than every
 * event that was passed over meanwhile.
 */
async function readTwiceWhereOverruled(
  options: SnapshotOptions,
  client: PoolClient,
): Promise<SnapshotReport> {
  const first = await snapshotLocked(options, client);
  if (first.overruled === 0) return first;
  const second = await snapshotLocked({ ...options, trustSource: false }, client);
  return {
    ...second,
    written: first.written + second.written,
    removed: first.removed + second.removed,
    overruled: first.overruled,
    ms: first.ms + second.ms,
  };
}

async function snapshotLocked(options: SnapshotOptions, client: PoolClient): Promise<SnapshotReport> {
  const started = Date.now();
  const { model, logger, trustSource = false } = options;
  const seq = await options.noteSeq();
  const { pool, hookTimeoutMs } = options;
  const apply = { pool, model, logger, origin: "snapshot", hookTimeoutMs } as const;
  const setAside = createSetAside();
  const run: Run = { ...options, client, seq, apply, setAside };
  await client.query(
    `DROP TABLE IF EXISTS pg_temp."$told", pg_temp."$later", pg_temp."$missing", pg_temp."$ahead"`,
  );
  await client.query(`CREATE TEMPORARY TABLE "$told" (entity_id text COLLATE "C", unfit boolean NOT NULL DEFAULT false);
CREATE TEMPORARY TABLE "$later" (
  place bigint GENERATED ALWAYS AS IDENTITY, entity_id text COLLATE "C" NOT NULL, born bigint NOT NULL); ${CREATE_AHEAD}`);
  const merged = await mergeSource(run);
  await untilHeard(run);
  const lives = await endNotedLives(run);
  await client.query('ANALYZE "$told"');
  if (merged.rows > CHUNK_ROWS && merged.unversioned) await noteToldTwice(run);
  await recordUnfit(client, model.definition.durable, setAside);
  refuseDoubtful(setAside, merged.rows);
  const removal = await removeMissing(run);
  const unfit = setAside.count();
  const ahead = await readAhead(client);
  const overruled = trustSource ? await overrule(run, merged) : 0;
  await client.query(`DROP TABLE pg_temp."$told", pg_temp."$later", pg_temp."$missing", pg_temp."$ahead"`);
  if (overruled > 0)
    logger.warn(
      { ...describeAhead(model, ahead), overruled },
      "the source's word is taken over later versions that were known here",
    );
  const left = overruled > 0 ? NONE_AHEAD : ahead;
  noteLeft(run, left);
  if (removal.failed > 0 || left.count > 0) await recordUnfit(client, model.definition.durable, setAside);
  if (unfit > 0)
    logger.warn(describeUnfit(setAside), "rows that cannot be taken: what is here of them stays as it is");
  return {
    rows: merged.rows,
    written: merged.written,
    removed: removal.done,
    unfit,
    failed: merged.failed + lives.failed + removal.failed,
    ahead: left.count,
    overruled,
    seq,
    ms: Date.now() - started,
  };
}

const NONE_AHEAD: Ahead = { count: 0, first: [] };

/** For `mesh status`, which names what stays as it is. */
function noteLeft({ model, logger, setAside }: Run, left: Ahead): void {
  if (left.count === 0) return;
  setAside.add(left.first);
  setAside.count(left.count - left.first.length);
  logger.warn(
    describeAhead(model, left),
    "entities are known here at versions beyond their source's: it goes unheard of them until mesh resync --trust-source",
  );
}

interface Merged extends Trusted {
  readonly rows: number;
  readonly written: number;
  readonly failed: number;
}

/** Reads on while the database merges: two chunks in memory, never more. */
async function mergeSource(run: Run): Promise<Merged> {
  const { sync } = run.model.definition;
  if (sync === undefined) throw new SnapshotFailed("nothing to take a snapshot of");
  // An owner of ours tells versions, and reads its rows by their key: none twice.
  const total = {
    rows: 0,
    written: 0,
    failed: 0,
    unversioned: false,
    highest: undefined as number | undefined,
  };
  let merging: Promise<Outcome> = Promise.resolve({ done: 0, failed: 0 });
  let gathered: unknown[] = [];
  const settle = async () => {
    const { done, failed } = await merging;
    total.written += done;
    total.failed += failed;
  };
  const flush = async () => {
    // While the database is at work on the chunk before: what it waits for afterwards is ready.
    const write = prepareWork(run, gathered, total.rows);
    total.rows += gathered.length;
    total.unversioned ||= gathered.some((element) => readElement(element).fields?._version === undefined);
    gathered = [];
    await settle();
    merging = write();
    // Awaited by the next flush; until then a failure must not count as unhandled.
    merging.catch(() => undefined);
  };
  try {
    const onHighest = (version: number | undefined) => {
      total.highest = version;
    };
    const asked = run.trustSource === true ? { onHighest } : {};
    const source = readSource({ sync, env: run.env, signal: run.signal, ...asked });
    for await (const elements of splitArray(source, run.model.cache?.json)) {
      gathered.push(...elements);
      if (gathered.length >= CHUNK_ROWS) await flush();
    }
    await flush();
  } catch (error) {
    // The connection is still at work on the chunk before.
    await merging.catch(() => undefined);
    throw error;
  }
  await settle();
  return total;
}

/** Converts and checks the elements; what is left to do needs the database. */
function prepareWork(run: Run, elements: readonly unknown[], before: number): () => Promise<Outcome> {
  const { cache, definition } = run.model;
  if (cache === undefined) {
    const key = definition.sync?.key;
    if (key === undefined) throw new SnapshotFailed("neither a cache nor a key to take a snapshot by");
    const existing = toExisting(key, elements, before);
    return () => noteExisting(run, existing);
  }
  const { fit, unfit } = toRows(cache, elements, { before, seq: run.seq });
  const chunk = prepareChunk(cache, definition.entity, fit);
  return () => mergePrepared(run, chunk, unfit);
}

async function mergePrepared(run: Run, whole: Chunk, unfit: readonly UnfitRow[]): Promise<Outcome> {
  const { client, model } = run;
  const { rows, cache } = whole;
  await setAsideRows(run, unfit);
  if (rows.length === 0) return { done: 0, failed: 0 };
  const hooked = hasHookOnRows(model);
  let ended = 0;
  const outcome = await inParts(run, {
    items: rows,
    work: async (part) => {
      const novelty = await beginChunk(client, model, part);
      const former = await endFormerLives(run, part);
      const isLocked = hooked || former !== undefined;
      ended += former ?? 0;
      const lost = hooked ? await lostEvents(run, part) : [];
      // A merge that is taken back must leave what was done, and the states that hooks were decided by locked: else
      // another replica applies the same events, hooks included, before it is merged again.
      if (isLocked) await client.query("SAVEPOINT merge");
      const chunk = part === rows ? whole : prepareChunk(cache, model.definition.entity, part);
      const written = await mergeChunk(run, { ...chunk, novelty: isLocked ? "known" : novelty });
      await callHandlers(client, run.apply, lost);
      return written;
    },
  });
  wakeFor(run, ended);
  return outcome;
}

function hasHookOnRows(model: ConsumerModel): boolean {
  return hookedEvent(model, "create") !== undefined || hookedEvent(model, "update") !== undefined;
}

/** All are locked: an event of one that another replica applies meanwhile would run the same hook. */
async function lostEvents(run: Run, rows: readonly SnapshotRow[]) {
  const { model, client, logger } = run;
  const { entity } = model.definition;
  const known = await lockAll(
    client,
    entity,
    rows.map((row) => row.id),
  );
  return findingsOf(rows, known).flatMap((finding) => toLostEvent(model, finding, logger) ?? []);
}
