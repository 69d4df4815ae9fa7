import { nanoid } from "nanoid";
import type { TableDefinition, Tx } from "../definition.js";
import { factsOf } from "../values/column-types.js";
import { fieldOf } from "../values/field.js";
import { toParameter } from "../values/values.js";
import { refuseInvalid } from "./invalid-row.js";
import { type Audience, tableSql } from "./table-sql.js";

/*
 * Rows as JSON text from PostgreSQL. REST sends the text as it is; repositories parse it. Each function runs one statement, so its
 * change is atomic with the events that triggers write.
 */

/** The value of a table's key column: a decimal string where it exceeds ±(2^53-1). */
export type Key = string | number;

/** Column values by name. */
export type Values = Readonly<Record<string, unknown>>;

/** Who sees the row that the function gives; by default the service itself. */
type Seen<O> = O & { readonly audience?: Audience };

export async function readRow(
  db: Tx,
  table: TableDefinition,
  { key, audience }: Seen<{ readonly key: Key }>,
): Promise<string | undefined> {
  const { rows } = await db.query<{ row: string }>(tableSql(table, audience).get, [keyParameter(table, key)]);
  return rows[0]?.row;
}

/** Generates the key where it is a nanoid and is left out; the database fills in everything else. */
export async function insertRow(
  db: Tx,
  table: TableDefinition,
  { values, audience }: Seen<{ readonly values: Values }>,
): Promise<{ readonly key: string; readonly row: string }> {
  refuseCache(table);
  const given = present(needsNanoid(table, values) ? { ...values, [table.key]: nanoid() } : values);
  refuseInvalid(table, table.rules?.create, given);
  const { rows } = await db.query<{ key: string; row: string }>(
    tableSql(table, audience).insert(given.map(([name]) => name)),
    parameters(table, given),
  );
  const [inserted] = rows;
  if (inserted === undefined) throw new Error(`a row of ${table.name} was refused by a trigger or rule`);
  return inserted;
}

/** Undefined where there is no such row. An empty patch reads the row. */
export async function updateRow(
  db: Tx,
  table: TableDefinition,
  change: Seen<{ readonly key: Key; readonly patch: Values }>,
): Promise<string | undefined> {
  refuseCache(table);
  const given = present(change.patch);
  if (given.length === 0) return await readRow(db, table, change);
  if (given.some(([name]) => name === table.key)) {
    throw new TypeError(
      `the key of ${table.name} cannot be changed: it is the id of the entity everywhere else`,
    );
  }
  refuseInvalid(table, table.rules?.patch, given);
  const { rows } = await db.query<{ row: string }>(
    tableSql(table, change.audience).update(given.map(([name]) => name)),
    [keyParameter(table, change.key), ...parameters(table, given)],
  );
  return rows[0]?.row;
}

/** False where there was no such row. */
export async function deleteRow(db: Tx, table: TableDefinition, key: Key): Promise<boolean> {
  refuseCache(table);
  const { rowCount } = await db.query(tableSql(table).delete, [keyParameter(table, key)]);
  return rowCount === 1;
}

/** Conditions of equality with their parameters, numbered from `$1`. A value of null asks for NULL. */
export function equalities(
  table: TableDefinition,
  filter: Values,
): { readonly conditions: readonly string[]; readonly parameters: readonly unknown[] } {
  const { column } = tableSql(table);
  const conditions: string[] = [];
  const given: [string, unknown][] = [];
  for (const [name, value] of present(filter)) {
    if (value !== null) given.push([name, value]);
    conditions.push(value === null ? `${column(name)} IS NULL` : `${column(name)} = $${given.length}`);
  }
  return { conditions, parameters: parameters(table, given) };
}

function needsNanoid(table: TableDefinition, values: Values): boolean {
  if (fieldOf(values, table.key) !== undefined) return false;
  return table.columns.some((column) => column.name === table.key && factsOf(column.type).drawn === true);
}

function present(values: Values): [string, unknown][] {
  return Object.entries(values).filter(([, value]) => value !== undefined);
}

/** Throws `UnfitValue` where a column cannot hold its value exactly. */
function parameters(table: TableDefinition, given: readonly [string, unknown][]): unknown[] {
  const columns = new Map(table.columns.map((column) => [column.name, column]));
  return given.map(([name, value]) => {
    const column = columns.get(name);
    return column === undefined ? value : toParameter(column, value);
  });
}

function keyParameter(table: TableDefinition, key: Key): unknown {
  return parameters(table, [[table.key, key]])[0];
}

function refuseCache(table: TableDefinition): void {
  if (table.cacheOf === undefined) return;
  throw new TypeError(`${table.name} is a read-only copy of ${table.cacheOf}: only its events write to it`);
}
