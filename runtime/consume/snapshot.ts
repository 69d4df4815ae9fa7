import type { Pool, PoolClient } from "pg";
import type { Logger } from "../definition.js";
import { type ApplyContext, callHandlers, lockStates, removeEntities, writeStates } from "./apply.js";
import { arrayLiteral, quote } from "./columns.js";
import { HandlerFailed, isInfrastructureFailure, messageOf, Raced } from "./faults.js";
import { splitArray } from "./json-array.js";
import type { Lane } from "./lane.js";
import { type ConsumerModel, cascadesOf } from "./model.js";
import type { EntityState } from "./order.js";
import { cachedRows, findingsOf, hookedEvent, toLostEvent } from "./snapshot-hooks.js";
import { mergeChunk } from "./snapshot-merge.js";
import { type SnapshotRow, toRows } from "./snapshot-rows.js";
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
}

interface Run extends SnapshotOptions {
  readonly client: PoolClient;
  readonly seq: number;
  readonly apply: ApplyContext;
}

const CHUNK_ROWS = 4_000;
const REMOVAL_ROWS = 500;

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
  const run: Run = { ...options, client, seq, apply: { model, logger, origin: "snapshot" } };
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
    const rows = toRows(cache, gathered, { before: total.rows, seq: run.seq });
    total.rows += gathered.length;
    gathered = [];
    await settle();
    merging = mergeRowsOf(run, rows);
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

interface Outcome {
  readonly done: number;
  readonly failed: number;
}

async function mergeRowsOf(run: Run, rows: readonly SnapshotRow[]): Promise<Outcome> {
  if (rows.length === 0) return { done: 0, failed: 0 };
  await run.client.query("INSERT INTO mesh_told SELECT unnest($1::text[])", [
    arrayLiteral(rows.map((row) => row.id)),
  ]);
  return await inParts(run, rows, async (part) => {
    const lost = await lostEvents(run, part);
    const written = await mergeChunk(run.client, run.model, part);
    await callHandlers(run.client, run.apply, lost);
    return written;
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

/** Known here, last touched at or before the noted sequence, and not told: their deletion was missed. */
async function removeMissing(run: Run): Promise<Outcome> {
  const { client, model, seq } = run;
  const { cache } = model;
  if (cache === undefined) return { done: 0, failed: 0 };
  const key = `row.${quote(cache.key.name)}::text`;
  await client.query("ANALYZE mesh_told");
  // Bare parameters are not possible in CREATE TABLE AS; the origin is generated, the sequence a number.
  const { rows: quoted } = await client.query<{ origin: string }>("SELECT quote_literal($1) AS origin", [
    model.definition.origin,
  ]);
  const origin = quoted[0]?.origin;
  const { rowCount } = await client.query(`CREATE TEMPORARY TABLE mesh_missing AS
SELECT row_number() OVER () AS place, id FROM (
  SELECT ${key} AS id FROM ${quote(cache.table.name)} AS row
  LEFT JOIN mesh.applied AS state ON state.source = ${origin} AND state.entity_id = ${key}
  WHERE coalesce(state.stream_seq, 0) <= ${seq}
    AND NOT EXISTS (SELECT FROM mesh_told AS told WHERE told.entity_id = ${key})
  UNION
  SELECT entity_id FROM mesh.applied AS state
  WHERE source = ${origin} AND NOT deleted AND stream_seq <= ${seq} AND (version IS NOT NULL OR stream_seq > 0)
    AND NOT EXISTS (SELECT FROM mesh_told AS told WHERE told.entity_id = state.entity_id)
) AS missing`);
  const total = { done: 0, failed: 0 };
  for (let from = 0; from < (rowCount ?? 0); from += REMOVAL_ROWS) {
    const { rows } = await client.query<{ id: string }>(
      "SELECT id FROM mesh_missing WHERE place > $1 AND place <= $2",
      [from, from + REMOVAL_ROWS],
    );
    const { done, failed } = await inParts(run, rows, (part) =>
      removeIds(
        run,
        part.map((row) => row.id),
      ),
    );
    total.done += done;
    total.failed += failed;
  }
  if (total.done > 0 && cascadesOf(model).some((rule) => rule.before !== undefined)) run.onTasks();
  return total;
}

/** As a `deleted` event would. Its version is not known, so the tombstone goes by sequence from here on. */
async function removeIds(run: Run, ids: readonly string[]): Promise<number> {
  const { client, model, logger, seq } = run;
  const known = await lockStates(client, model.definition.origin, ids);
  const gone = ids.filter((id) => (known.get(id)?.seq ?? 0) <= seq);
  const states = new Map<string, EntityState>(
    gone.map((id) => [id, { version: known.get(id)?.version ?? null, exact: false, deleted: true, seq }]),
  );
  const hooked = hookedEvent(model, "delete") !== undefined;
  const cached = hooked ? await cachedRows(client, model, gone) : new Map<string, Record<string, unknown>>();
  await writeStates(client, model.definition.origin, states, known);
  await removeEntities(client, model, gone);
  const lost = gone.flatMap((id) => {
    const payload = cached.get(id);
    if (payload === undefined) return [];
    return toLostEvent(model, { id, change: "delete", version: null, seq, payload }, logger) ?? [];
  });
  await callHandlers(client, run.apply, lost);
  return gone.length;
}

/** In one transaction; where a hook throws, in halves, until only its row is left out. Deadlocks and races start over. */
async function inParts<T>(
  run: Run,
  items: readonly T[],
  work: (part: readonly T[]) => Promise<number>,
): Promise<Outcome> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return { done: await run.exclusively(() => transact(run.client, () => work(items))), failed: 0 };
    } catch (error) {
      await run.client.query("ROLLBACK");
      if ((error instanceof Raced || isInfrastructureFailure(error)) && attempt < 5) continue;
      if (!(error instanceof HandlerFailed)) throw error;
      if (items.length === 1) {
        run.logger.warn({ error: error.message }, "a hook failed on a row of the snapshot");
        return { done: 0, failed: 1 };
      }
      const middle = items.length >> 1;
      const first = await inParts(run, items.slice(0, middle), work);
      const second = await inParts(run, items.slice(middle), work);
      return { done: first.done + second.done, failed: first.failed + second.failed };
    }
  }
}

async function transact<T>(client: PoolClient, work: () => Promise<T>): Promise<T> {
  await client.query("BEGIN");
  const result = await work();
  await client.query("COMMIT");
  return result;
}

const LOCK_KEY = "hashtextextended('mesh snapshot ' || $1, 0)";

async function tryLock(client: PoolClient, durable: string): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>(
    `SELECT pg_try_advisory_lock(${LOCK_KEY}) AS locked`,
    [durable],
  );
  return rows[0]?.locked === true;
}

/** A lost connection has released it already. */
async function releaseLock(client: PoolClient, durable: string, logger: Logger): Promise<void> {
  try {
    await client.query("ROLLBACK");
    await client.query(`SELECT pg_advisory_unlock(${LOCK_KEY})`, [durable]);
  } catch (error) {
    logger.debug({ error: messageOf(error) }, "the snapshot's connection is gone, and its lock with it");
  }
}

/** A gap that was noticed meanwhile stays wanted: this snapshot may not have seen it closed. */
async function recordSuccess(
  client: PoolClient,
  durable: string,
  report: SnapshotReport,
  wanted: string | null,
): Promise<void> {
  const error = report.failed > 0 ? `hooks failed on ${report.failed} rows` : null;
  await client.query(
    `UPDATE mesh.subscription SET snapshot_at = now(), snapshot_seq = $2, snapshot_rows = $3,
  snapshot_error = CASE WHEN snapshot_error IS DISTINCT FROM $4 THEN snapshot_error ELSE $5 END
WHERE durable = $1`,
    [durable, report.seq, report.rows, wanted, error],
  );
}

async function recordFailure({ pool, model, logger }: SnapshotOptions, error: string): Promise<void> {
  try {
    await pool.query("UPDATE mesh.subscription SET snapshot_error = $2 WHERE durable = $1", [
      model.definition.durable,
      error.replaceAll("\0", ""),
    ]);
  } catch (cause) {
    logger.debug({ error: messageOf(cause) }, "the snapshot's failure could not be recorded");
  }
}
