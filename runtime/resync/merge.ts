import { escapeIdentifier, type PoolClient, type QueryResult } from "pg";
import { arrayType, fromCell } from "../database/columns.js";
import { hasState } from "../database/database-errors.js";
import { idSql } from "../database/key.js";
import { relationName, relationOf } from "../database/relation.js";
import type { CacheModel, ConsumerModel } from "../inbox/consumer-model.js";
import { run, shapeOf } from "../inbox/row-statements.js";
import { settleUniqueConflicts } from "../inbox/settle-conflicts.js";
import { compareBytes } from "../text/byte-order.js";
import { arrayLiteral } from "../values/array-literal.js";
import { type Merge, mergeStatements, outsideStatements } from "./merge-statements.js";
import type { SnapshotRow } from "./snapshot-rows.js";
import { RowRefused, type Run } from "./snapshot-run.js";

/*
 * Merges rows of a snapshot into the cache. The snapshot is the source as it was after the noted sequence: it wins over
 * whatever was applied up to that sequence; against later events versions decide.
 */

/** Rows with the statements that write them, prepared while the database is still at work on the chunk before. */
export interface Chunk {
  readonly cache: CacheModel;
  readonly rows: readonly SnapshotRow[];
  /** One per shape of row. */
  readonly merges: readonly Merge[];
}

/** In place of the shape of rows that are not in the cache. */
const OUTSIDE = "outside";

/** In order of id, like every lock: a batch of events that meets a chunk waits, and there is no deadlock. */
export function prepareChunk(cache: CacheModel, entity: string, rows: readonly SnapshotRow[]): Chunk {
  const shapes = new Map<string, SnapshotRow[]>();
  const ordered = rows.toSorted((a, b) => compareBytes(a.id, b.id));
  for (const row of ordered) {
    const shape = row.outside ? OUTSIDE : shapeOf(row);
    const ofShape = shapes.get(shape);
    if (ofShape === undefined) shapes.set(shape, [row]);
    else ofShape.push(row);
  }
  return {
    cache,
    rows,
    merges: [...shapes].map(([shape, ofShape]) =>
      shape === OUTSIDE
        ? outsideStatements({ cache, entity, rows: ofShape })
        : mergeStatements({ cache, entity, shape, rows: ofShape }),
    ),
  };
}

/** So many rows of a chunk are looked up; where none is known, the whole chunk is assumed to be new. */
const PROBES = 32;

/** What is known of a chunk before it is merged. */
export type Novelty = "new" | "known";

/**
 * Opens the transaction of a chunk, and looks a few of its rows up, to tell a cache that is being
 * filled from one that is checked; by index, since a table that just began to fill has no statistics yet.
 *
 * The commit is not flushed to disk: what a crash of the server takes back, the next snapshot brings, and the
 * record that this one succeeded flushes all before it. An event that is acked as stale because of one of these rows
 * has locked that row, so the event's own flushed commit comes later in the log.
 */
export async function beginChunk(
  client: PoolClient,
  model: ConsumerModel,
  rows: readonly SnapshotRow[],
): Promise<Novelty> {
  const step = Math.ceil(rows.length / PROBES);
  const probes = rows.filter((_, at) => at % step === 0).map((row) => client.escapeLiteral(row.id));
  // One round trip, and therefore without parameters.
  const answers: unknown =
    await client.query(`BEGIN; SET LOCAL synchronous_commit = off; SET LOCAL enable_seqscan = off;
SAVEPOINT merge; SELECT FROM mesh.applied
WHERE entity = ${client.escapeLiteral(model.scope)} AND entity_id IN (${probes.join(", ")}) LIMIT 1`);
  const found = (answers as readonly QueryResult[]).at(-1)?.rowCount ?? 0;
  return found === 0 ? "new" : "known";
}

/**
 * Merges a chunk within the caller's transaction. Gives the number of rows that were written. New rows
 * are inserted without looking for a conflict, at half the cost; one that exists
 * after all fails the statement, and the chunk is merged like any other.
 */
export async function mergeChunk(
  { client, model, onPlaceholder }: Run,
  chunk: Chunk & { readonly novelty: Novelty },
): Promise<number> {
  const { cache, rows, merges, novelty } = chunk;
  if (novelty === "new") {
    const added = await unlessConflicting(client, () => writeAll(client, merges, "insert"));
    if (added !== undefined) return added;
  }
  const merged = await unlessConflicting(client, () => writeAll(client, merges, "merge"), cache);
  if (merged !== undefined) return merged;
  onPlaceholder();
  const settled = await makeWay(client, model, cache, rows);
  return await writeAll(client, prepareChunk(cache, model.scope, settled).merges, "merge");
}

/** Undefined, and nothing written, at a unique conflict: of this cache, or where none is named of any table. */
async function unlessConflicting(
  client: PoolClient,
  write: () => Promise<number>,
  cache?: CacheModel,
): Promise<number | undefined> {
  try {
    return await write();
  } catch (error) {
    if (
      !hasState(error, "unique_violation") ||
      (cache !== undefined && error.table !== relationName(cache.table))
    )
      throw error;
    await client.query("ROLLBACK TO SAVEPOINT merge");
    return undefined;
  }
}

async function writeAll(
  client: PoolClient,
  merges: readonly Merge[],
  how: "insert" | "merge",
): Promise<number> {
  let written = 0;
  for (const merge of merges) {
    const { rowCount } = await run(client, { text: merge[how], values: merge.values });
    written += rowCount ?? 0;
  }
  return written;
}

/**
 * Takes unique values from the rows that hold them: those rows come later in the snapshot, or are deleted by it. Rejects
 * with `RowRefused` where the holder was merged from this snapshot already and has no later event: the source gives one
 * value to two rows.
 */
async function makeWay(
  client: PoolClient,
  model: ConsumerModel,
  cache: CacheModel,
  rows: readonly SnapshotRow[],
): Promise<readonly SnapshotRow[]> {
  const conflicting = new Set<string>();
  // Conflicts are rare, and each is looked up among all ids of the snapshot.
  await client.query('CREATE INDEX IF NOT EXISTS "$snapshot_entity_id" ON "$snapshot" (entity_id)');
  for (const [index, column] of cache.columns.entries()) {
    if (column.unique !== true) continue;
    for (const { id, holder } of await findHolders(client, { model, cache, index, rows })) {
      if (holder !== null)
        throw new RowRefused(`${column.name} of ${id} is also that of ${holder}, and must be unique`);
      conflicting.add(id);
    }
  }
  const settled: SnapshotRow[] = [];
  for (const row of rows) {
    const [upsert] = conflicting.has(row.id) ? await settleUniqueConflicts(client, model, [row]) : [row];
    settled.push({ ...row, cells: upsert?.cells ?? row.cells });
  }
  return settled;
}

interface Conflict {
  readonly id: string;
  /** The row that holds the value, where this very snapshot has merged it; else null. */
  readonly holder: string | null;
}

async function findHolders(
  client: PoolClient,
  at: {
    readonly model: ConsumerModel;
    readonly cache: CacheModel;
    readonly index: number;
    readonly rows: readonly SnapshotRow[];
  },
): Promise<readonly Conflict[]> {
  const { model, cache, index, rows } = at;
  const column = cache.columns[index];
  if (column === undefined) return [];
  const id = idSql(cache.key, '"$row"');
  const claims = rows.filter(
    ({ cells, outside }) => !outside && cells[index] !== undefined && typeof cells[index] !== "symbol",
  );
  const { rows: found } = await client.query<Conflict>(
    `SELECT "$new".id, (SELECT "$snapshot".entity_id FROM "$snapshot" JOIN mesh.applied AS state
    ON state.entity = $3 AND state.entity_id = "$snapshot".entity_id AND coalesce(state.stream_seq, 0) <= $4
  WHERE "$snapshot".entity_id = ${id} AND NOT "$snapshot".unfit LIMIT 1) AS holder
FROM unnest($1::text[], $2::${arrayType(column)}) AS "$new" (id, value)
JOIN ${relationOf(cache.table)} AS "$row" ON "$row".${escapeIdentifier(column.name)} = ${fromCell(column, '"$new".value')} AND ${id} <> "$new".id`,
    [
      arrayLiteral(claims.map((row) => row.id)),
      arrayLiteral(claims.map((row) => row.cells[index])),
      model.scope,
      rows[0]?.seq ?? 0,
    ],
  );
  return found;
}
