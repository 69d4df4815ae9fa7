import { nanoid } from "nanoid";
import { keyColumns, keyNames } from "../database/key.js";
import type { Tx } from "../definition/hook-definition.js";
import type { TableDefinition } from "../definition/table-definition.js";
import { factsOf } from "../values/column-types.js";
import { splitId } from "../values/entity-id.js";
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

/** The same, of a key of several columns their values by name, or the id of the entity. */
export type AnyKey = Key | Values;

/** Column values by name. */
export type Values = Readonly<Record<string, unknown>>;

/** Who sees the row that the function gives; by default the service itself. */
type Seen<O> = O & { readonly audience?: Audience };

/** `cause`: what the events of the change say of it. Default: what the transaction has set. */
type Caused<O> = O & { readonly cause?: string | undefined };

export async function readRow(
  db: Tx,
  table: TableDefinition,
  { key, audience }: Seen<{ readonly key: AnyKey }>,
): Promise<string | undefined> {
  const { rows } = await db.query<{ row: string }>(
    tableSql(table, audience).get,
    parametersOfKey(table, key),
  );
  return rows[0]?.row;
}

/** Generates the key where it is a nanoid and is left out; the database fills in everything else. */
export async function insertRow(
  db: Tx,
  table: TableDefinition,
  { values, audience, cause }: Caused<Seen<{ readonly values: Values }>>,
): Promise<{ readonly key: string; readonly row: string }> {
  refuseReadOnly(table);
  const given = present({ ...values, ...drawnKey(table, values) });
  refuseInvalid(table, table.rules?.create, given);
  const text = tableSql(table, audience).insert(given.map(([name]) => name));
  const { rows } = await db.query<{ key: string; row: string }>(
    ...causedBy(cause, text, parameters(table, given)),
  );
  const [inserted] = rows;
  if (inserted === undefined) throw new Error(`a row of ${table.name} was refused by a trigger or rule`);
  return inserted;
}

/** Undefined where there is no such row. An empty patch reads the row. */
export async function updateRow(
  db: Tx,
  table: TableDefinition,
  change: Caused<Seen<{ readonly key: AnyKey; readonly patch: Values }>>,
): Promise<string | undefined> {
  refuseReadOnly(table);
  const given = present(change.patch);
  if (given.length === 0) return await readRow(db, table, change);
  if (given.some(([name]) => keyNames(table).includes(name))) {
    throw new TypeError(
      `the key of ${table.name} cannot be changed: it is the id of the entity everywhere else`,
    );
  }
  refuseInvalid(table, table.rules?.patch, given);
  const text = tableSql(table, change.audience).update(given.map(([name]) => name));
  const values = [...parametersOfKey(table, change.key), ...parameters(table, given)];
  const { rows } = await db.query<{ row: string }>(...causedBy(change.cause, text, values));
  return rows[0]?.row;
}

/** False where there was no such row. */
export async function deleteRow(
  db: Tx,
  table: TableDefinition,
  { key, cause }: Caused<{ readonly key: AnyKey }>,
): Promise<boolean> {
  refuseReadOnly(table);
  const { rowCount } = await db.query(
    ...causedBy(cause, `${tableSql(table).delete} RETURNING true`, parametersOfKey(table, key)),
  );
  return rowCount === 1;
}

/** The statement, which sets the cause by the way: what it returns is computed before the triggers of its rows run. */
function causedBy(
  cause: string | undefined,
  text: string,
  values: readonly unknown[],
): [text: string, values: unknown[]] {
  if (cause === undefined) return [text, [...values]];
  return [`${text}, mesh.set_cause($${values.length + 1})`, [...values, cause]];
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

/** A key of one nanoid that is left out; of several columns the writer says all. */
function drawnKey(table: TableDefinition, values: Values): Values {
  const [column, ...others] = keyColumns(table);
  if (column === undefined || others.length > 0 || fieldOf(values, column.name) !== undefined) return {};
  return factsOf(column.type).drawn === true ? { [column.name]: nanoid() } : {};
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

function parametersOfKey(table: TableDefinition, key: AnyKey): unknown[] {
  const names = keyNames(table);
  const values =
    typeof key === "object" ? names.map((name) => fieldOf(key, name)) : splitId(String(key), names.length);
  // What is no id of this table names no row.
  return parameters(
    table,
    names.map((name, index) => [name, values?.[index] ?? null]),
  );
}

function refuseReadOnly(table: TableDefinition): void {
  if (table.view === true) throw new TypeError(`${table.name} is a view, which is only read`);
  if (table.cacheOf === undefined) return;
  throw new TypeError(`${table.name} is a read-only copy of ${table.cacheOf}: only its events write to it`);
}
