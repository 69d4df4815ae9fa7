import type { PoolClient } from "pg";
import { escapeIdentifier } from "pg";
import { arrayType, DEFAULT, fromCell } from "../database/columns.js";
import { keyArrays, keyIn, keyList, sameKey } from "../database/key.js";
import { relationOf } from "../database/relation.js";
import { arrayLiteral } from "../values/array-literal.js";
import type { CacheModel } from "./consumer-model.js";
import type { Upsert } from "./plan-batch.js";

/*
 * Statements on the rows of a cache, set-based: one array per column. None of many rows is a named statement: a plan kept for
 * reuse assumes ten elements per array and joins thousands with nested loops; planning anew costs a fraction of a
 * millisecond per batch.
 *
 * In a statement that also names a table of the mesh, every name of a relation or column that could be one of the table's holds a `$`, which no name of mesh.yaml may:
 * so a column or table of any name means what it says.
 */

export interface Statement {
  readonly text: string;
  /** Its plan is kept. */
  readonly name?: string;
  readonly values: readonly unknown[];
}

export async function run(client: PoolClient, { text, values }: Statement) {
  return await client.query<{ added?: number }>(text, [...values]);
}

/** How a row is written: per column v(alue), d(efault) or - (left alone). Rows of one shape share a statement. */
export function shapeOf(upsert: Upsert): string {
  let shape = upsert.whole ? "+" : "?";
  for (const cell of upsert.cells) shape += codeOf(cell);
  return shape;
}

/** Whether both have one shape: without making the text, since a batch of the usual traffic asks for each of its events. */
export function hasShapeOf(one: Upsert, other: Upsert): boolean {
  if (one.whole !== other.whole) return false;
  for (let index = 0; index < one.cells.length; index += 1)
    if (codeOf(one.cells[index]) !== codeOf(other.cells[index])) return false;
  return true;
}

function codeOf(cell: unknown): "-" | "d" | "v" {
  if (cell === undefined) return "-";
  return cell === DEFAULT ? "d" : "v";
}

export interface ShapedColumns {
  /** Indexes of the columns that come with values. */
  readonly indexes: readonly number[];
  /** The rows as an item of FROM with this alias; `leading`: arrays and names of columns before those of the table. */
  readonly source: (alias: string, leading?: { readonly arrays: string; readonly names: string }) => string;
  readonly names: string;
  /** The same, of one relation of a query. */
  readonly namesOf: (relation: string) => string;
  /** SET list of an update, values taken from `from`. */
  readonly assignments: (from: string) => string;
}

export function shapeColumns(cache: CacheModel, shape: string, firstParameter: number): ShapedColumns {
  const codes = shape.slice(1);
  const indexes = cache.columns.flatMap((_, index) => (codes[index] === "v" ? [index] : []));
  const columns = indexes.map((index) => cache.columns[index]).filter((column) => column !== undefined);
  const arrays = [...cache.key, ...columns].map(
    (column, index) => `$${firstParameter + index}::${arrayType(column)}`,
  );
  const names = [...cache.key, ...columns].map((column) => escapeIdentifier(column.name));
  const assignments = (from: string) =>
    cache.columns
      .flatMap(({ name }, index) => {
        if (codes[index] === "v") return [`${escapeIdentifier(name)} = ${from}.${escapeIdentifier(name)}`];
        const reset = codes[index] === "d" || cache.stamps.has(index);
        return reset ? [`${escapeIdentifier(name)} = DEFAULT`] : [];
      })
      .join(", ");
  return {
    indexes,
    source: (alias, leading) => {
      const all = leading === undefined ? arrays : [leading.arrays, ...arrays];
      const named = leading === undefined ? names : [leading.names, ...names];
      const cells = `${all.length === 1 ? "pg_catalog." : ""}unnest(${all.join(", ")}) AS ${alias} (${named.join(", ")})`;
      if (columns.every((column) => fromCell(column, "") === "")) return cells;
      const typed = columns.map((column) => {
        const name = escapeIdentifier(column.name);
        return `${fromCell(column, `${alias}.${name}`)} AS ${name}`;
      });
      const kept = named.slice(0, named.length - columns.length).join(", ");
      return `(SELECT ${[kept, ...typed].join(", ")} FROM ${cells}) AS ${alias}`;
    },
    names: names.join(", "),
    namesOf: (relation) => names.map((name) => `${relation}.${name}`).join(", "),
    assignments,
  };
}

export function conflictClause(cache: CacheModel, shaped: ShapedColumns): string {
  const changes = shaped.assignments("excluded");
  return `ON CONFLICT (${keyList(cache.key)}) DO ${changes === "" ? "NOTHING" : `UPDATE SET ${changes}`}`;
}

export function cellArrays(
  { key }: CacheModel,
  upserts: readonly Upsert[],
  indexes: readonly number[],
): string[] {
  const keys = keyArrays(
    key,
    upserts.map(({ id }) => id),
  );
  return [...keys, ...indexes.map((index) => arrayLiteral(upserts.map((upsert) => upsert.cells[index])))];
}

/** Writes rows of one shape, whether they are there or not. Gives the number that were not, as `added`. */
export function upsertRows(cache: CacheModel, shape: string, upserts: readonly Upsert[]): Statement {
  const shaped = shapeColumns(cache, shape, 1);
  const text = `WITH "$written" AS (
  INSERT INTO ${relationOf(cache.table)} AS "$row" (${shaped.names}) SELECT * FROM ${shaped.source('"$new"')}
  ${conflictClause(cache, shaped)} RETURNING ("$row".xmax = 0) AS added
) SELECT count(*) FILTER (WHERE added)::integer AS added FROM "$written"`;
  return { text, values: cellArrays(cache, upserts, shaped.indexes) };
}

/** Changes the rows of one shape that are there. */
export function updateRows(cache: CacheModel, shape: string, upserts: readonly Upsert[]): Statement {
  const shaped = shapeColumns(cache, shape, 1);
  const changes = shaped.assignments('"$new"') || sameKey(cache.key.slice(0, 1), undefined, '"$new"');
  const text = `UPDATE ${relationOf(cache.table)} AS "$row" SET ${changes}
FROM ${shaped.source('"$new"')} WHERE ${sameKey(cache.key, '"$row"', '"$new"')}`;
  return { text, values: cellArrays(cache, upserts, shaped.indexes) };
}

/** A partial row may be inserted when whatever it lacks has a default or may be NULL. */
export function canInsert(cache: CacheModel, shape: string): boolean {
  return cache.columns.every(
    (column, index) => shape[index + 1] === "v" || column.nullable === true || column.defaulted === true,
  );
}

export function removeRows(cache: CacheModel, ids: readonly string[]): Statement {
  return {
    text: `DELETE FROM ${relationOf(cache.table)} WHERE ${keyIn(cache.key)}`,
    values: keyArrays(cache.key, ids),
  };
}
