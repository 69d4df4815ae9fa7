import type { Pool, PoolClient } from "pg";
import type { Logger } from "../definition.js";
import { callHandlers, lockStates } from "./apply.js";
import { messageOf } from "./faults.js";
import { splitArray } from "./json-array.js";
import type { Lane } from "./lane.js";
import type { ConsumerModel } from "./model.js";
import { findingsOf, hookedEvent, toLostEvent } from "./snapshot-hooks.js";
import { beginChunk, type Chunk, mergeChunk, prepareChunk } from "./snapshot-merge.js";
import { recordFailure, recordSuccess, releaseLock, tryLock } from "./snapshot-record.js";
import { removeMissing } from "./snapshot-removal.js";
import { type SnapshotRow, toRows } from "./snapshot-rows.js";
import { inParts, type Outcome, type Run } from "./snapshot-run.js";
import { readSource, SnapshotFailed } from "./snapshot-source.js";
import { readSnapshotRecord } from "./subscription.js";
import { withClient } from "./transaction.js";

export interface SnapshotReport {
  /** Elements that the source has. */
  readonly rows: number;
  /** Rows that were not here, or not like that. */
  readonly written: number;
  /** Rows that the source no longer has. */
  readonly removed: number;
  /** Rows left as they were because a hook threw; the next snapshot finds them again. */
  readonly failed: number;
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
  /** Keeps a chunk and a batch of the same process from locking each other out. */
  readonly exclusively: Lane;
  /** Rows were put down for the cascade worker, and are committed. */
  readonly onTasks: () => void;
  readonly hookTimeoutMs?: number | undefined;
}

const CHUNK_ROWS = 6_000;

/**
 * Makes the cache equal to its source. One replica at a time: undefined when another is at it.
 * Rejects with what is wrong; then nothing was deleted, and rows that were written are right.
 */
export async function takeSnapshot(options: SnapshotOptions): Promise<SnapshotReport | undefined> {
  const { durable } = options.model.definition;
  return await withClient(options.pool, async (client) => {
    if (!(await tryLock(client, durable))) return undefined;
    const wanted = (await readSnapshotRecord(client, durable))?.error ?? null;
    try {
      const report = await snapshotLocked(options, client);
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

async function snapshotLocked(options: SnapshotOptions, client: PoolClient): Promise<SnapshotReport> {
  const started = Date.now();
  const { model, logger } = options;
  const seq = await options.noteSeq();
  const { pool, hookTimeoutMs } = options;
  const apply = { pool, model, logger, origin: "snapshot", hookTimeoutMs } as const;
  const run: Run = { ...options, client, seq, apply };
  await client.query(`DROP TABLE IF EXISTS pg_temp.mesh_told, pg_temp.mesh_missing`);
  await client.query(`CREATE TEMPORARY TABLE mesh_told (entity_id text COLLATE "C")`);
  const merged = await mergeSource(run);
  const removal = await removeMissing(run);
  await client.query(`DROP TABLE pg_temp.mesh_told, pg_temp.mesh_missing`);
  return {
    rows: merged.rows,
    written: merged.written,
    removed: removal.done,
    failed: merged.failed + removal.failed,
    seq,
    ms: Date.now() - started,
  };
}

/** Reads on while the database merges: two chunks in memory, never more. */
async function mergeSource(run: Run) {
  const { sync } = run.model.definition;
  const { cache } = run.model;
  if (sync === undefined || cache === undefined) throw new SnapshotFailed("nothing to take a snapshot of");
  const total = { rows: 0, written: 0, failed: 0 };
  let merging: Promise<Outcome> = Promise.resolve({ done: 0, failed: 0 });
  let gathered: unknown[] = [];
  const settle = async () => {
    const { done, failed } = await merging;
    total.written += done;
    total.failed += failed;
  };
  const flush = async () => {
    // While the database is at work on the chunk before: what it waits for afterwards is ready.
    const rows = toRows(cache, gathered, { before: total.rows, seq: run.seq });
    const chunk = prepareChunk(cache, run.model.definition.origin, rows);
    total.rows += gathered.length;
    gathered = [];
    await settle();
    merging = mergePrepared(run, chunk);
    // Awaited by the next flush; until then a failure must not count as unhandled.
    merging.catch(() => undefined);
  };
  try {
    for await (const elements of splitArray(readSource({ sync, env: run.env, signal: run.signal }))) {
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

async function mergePrepared(run: Run, whole: Chunk): Promise<Outcome> {
  const { client, model } = run;
  const { rows, cache } = whole;
  if (rows.length === 0) return { done: 0, failed: 0 };
  return await inParts(run, {
    items: rows,
    work: async (part) => {
      const novelty = await beginChunk(client, model, part);
      const lost = await lostEvents(run, part);
      const chunk = part === rows ? whole : prepareChunk(cache, model.definition.origin, part);
      const written = await mergeChunk(client, model, { ...chunk, novelty });
      await callHandlers(client, run.apply, lost);
      return written;
    },
    // The source has it all the same: it must not be taken for missing.
    leaveOut: ({ id }) => client.query("INSERT INTO mesh_told VALUES ($1)", [id]),
  });
}

async function lostEvents(run: Run, rows: readonly SnapshotRow[]) {
  const { model, client, logger } = run;
  if (hookedEvent(model, "create") === undefined && hookedEvent(model, "update") === undefined) return [];
  const known = await lockStates(
    client,
    model.definition.origin,
    rows.map((row) => row.id),
  );
  return findingsOf(rows, known).flatMap((finding) => toLostEvent(model, finding, logger) ?? []);
}
