import type { PoolClient } from "pg";
import { run } from "./apply.js";
import { settleClashes } from "./clash.js";
import { arrayLiteral, arrayType, quote } from "./columns.js";
import { isUniqueClash } from "./faults.js";
import type { CacheModel, ConsumerModel } from "./model.js";
import type { SnapshotRow } from "./snapshot-rows.js";
import { mergeRows, shapeOf } from "./statements.js";

/*
 * Rows of a snapshot into the cache. The snapshot is the source as it was after the noted sequence:
 * it beats whatever was applied up to there, and versions tell the rest.
 */

/** Merges rows within the caller's transaction. Gives the number that were written. */
export async function mergeChunk(
  client: PoolClient,
  model: ConsumerModel,
  rows: readonly SnapshotRow[],
): Promise<number> {
  const { cache } = model;
  if (cache === undefined) return 0;
  // A table that just began to fill has no statistics yet, and would be scanned for every row.
  await client.query("SET LOCAL enable_seqscan = off; SAVEPOINT merge");
  try {
    return await writeShapes(client, model, cache, rows);
  } catch (error) {
    if (!isUniqueClash(error) || error.table !== cache.table.name) throw error;
    await client.query("ROLLBACK TO SAVEPOINT merge");
    return await writeShapes(client, model, cache, await makeWay(client, model, cache, rows));
  }
}

async function writeShapes(
  client: PoolClient,
  model: ConsumerModel,
  cache: CacheModel,
  rows: readonly SnapshotRow[],
): Promise<number> {
  const shapes = new Map<string, SnapshotRow[]>();
  for (const row of rows) {
    const shape = shapeOf(row);
    const ofShape = shapes.get(shape);
    if (ofShape === undefined) shapes.set(shape, [row]);
    else ofShape.push(row);
  }
  let written = 0;
  for (const [shape, ofShape] of shapes) {
    const { rowCount } = await run(
      client,
      mergeRows({ cache, origin: model.definition.origin, shape, rows: ofShape }),
    );
    written += rowCount ?? 0;
  }
  return written;
}

/** Values that other rows hold are taken from them first: those rows are restated later in the snapshot, or deleted by it. */
async function makeWay(
  client: PoolClient,
  model: ConsumerModel,
  cache: CacheModel,
  rows: readonly SnapshotRow[],
): Promise<readonly SnapshotRow[]> {
  const clashing = new Set<string>();
  const key = quote(cache.key.name);
  for (const [place, column] of cache.columns.entries()) {
    if (column.unique !== true) continue;
    const told = rows.filter((row) => row.cells[place] !== undefined && typeof row.cells[place] !== "symbol");
    const { rows: found } = await client.query<{ id: string }>(
      `SELECT new.id FROM unnest($1::text[], $2::${arrayType(column)}) AS new (id, value)
JOIN ${quote(cache.table.name)} AS row ON row.${quote(column.name)} = new.value AND row.${key}::text <> new.id`,
      [arrayLiteral(told.map((row) => row.id)), arrayLiteral(told.map((row) => row.cells[place]))],
    );
    for (const { id } of found) clashing.add(id);
  }
  const settled: SnapshotRow[] = [];
  for (const row of rows) {
    const [upsert] = clashing.has(row.id) ? await settleClashes(client, model, [row]) : [row];
    settled.push({ ...row, cells: upsert?.cells ?? row.cells });
  }
  return settled;
}
