import { escapeIdentifier } from "pg";
import type { ColumnDefinition, TableDefinition } from "../definition/table-definition.js";
import { arrayLiteral } from "../values/array-literal.js";
import { idExpression } from "../values/column-sql.js";
import { type ColumnType, factsOf } from "../values/column-types.js";
import { splitId } from "../values/entity-id.js";
import { arrayType, columnOf } from "./columns.js";

/*
 * The key of a table: one column or several, whose values make the id of a row's entity. Everything that finds rows by
 * their key, or tells the id of a row, is said here.
 */

/** The columns of a key, in its order. */
export type KeyColumns = readonly ColumnDefinition[];

/** The names of a table's key columns. */
export function keyNames({ key }: Pick<TableDefinition, "key">): readonly string[] {
  return typeof key === "string" ? [key] : key;
}

/** The columns of a table's key. */
export function keyColumns(table: TableDefinition): KeyColumns {
  return keyNames(table).map((name) => columnOf(table, name));
}

/** SQL: the columns, of a row where one is named. */
export function keyList(key: KeyColumns, row?: string): string {
  return key.map(({ name }) => cellOf(name, row)).join(", ");
}

/** SQL: the id of the entity of a row. */
export function idSql(key: KeyColumns, row?: string): string {
  return idExpression(key.map(({ name, type }) => ({ type, value: cellOf(name, row) })));
}

/** SQL: whether two rows have the same key. */
export function sameKey(key: KeyColumns, one: string | undefined, other: string): string {
  return key.map(({ name }) => `${cellOf(name, one)} = ${cellOf(name, other)}`).join(" AND ");
}

/** SQL: a column that is NULL where an outer join found no row. */
export function presence(key: KeyColumns, row: string): string {
  return cellOf(key[0]?.name ?? "", row);
}

/** SQL: whether a row has one of the keys of `keyArrays`, the parameters from `first` on. */
export function keyIn(key: KeyColumns, row?: string, first = 1): string {
  const arrays = key.map((column, index) => `$${first + index}::${arrayType(column)}`);
  return key.length === 1
    ? `${keyList(key, row)} = ANY (${arrays[0]})`
    : `(${keyList(key, row)}) IN (SELECT * FROM unnest(${arrays.join(", ")}))`;
}

/** Whether a row's id is printed so: `1:02` names none, though PostgreSQL reads `02` as 2. */
export function isCanonicalId(key: KeyColumns, id: string): boolean {
  const parts = splitId(id, key.length);
  return parts !== undefined && key.every(({ type }, index) => isCanonical(type, parts[index] ?? ""));
}

function isCanonical(type: ColumnType, text: string): boolean {
  const { kind, padded } = factsOf(type);
  switch (kind) {
    case "whole number":
      return /^(0|-?[1-9]\d*)$/.test(text);
    case "uuid":
      return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text);
    case "text":
      return !padded || !text.endsWith(" ");
    case "number":
    case "decimal":
    case "boolean":
    case "moment":
    case "day":
    case "bytes":
    case "document":
    case "list":
      return true;
    default:
      return kind satisfies never;
  }
}

/** One array for each column of the key. An id that is none of such a key has NULL in all of them. */
export function keyArrays(key: KeyColumns, ids: readonly string[]): readonly string[] {
  if (key.length === 1) return [arrayLiteral(ids)];
  const parts = ids.map((id) => splitId(id, key.length));
  return key.map((_, index) => arrayLiteral(parts.map((part) => part?.[index] ?? null)));
}

/** SQL: whether a row has the key of `keyParameters`, the parameters from `first` on. */
export function keyIs(key: KeyColumns, row: string, first: number): string {
  const cells = key.map(
    ({ name, type }, index) => `${cellOf(name, row)} = $${first + index}::text::${factsOf(type).cast}`,
  );
  return cells.join(" AND ");
}

/** The texts of a key's columns; NULL in all of them where the id is none of such a key. */
export function keyParameters(key: KeyColumns, id: string): readonly (string | null)[] {
  return splitId(id, key.length) ?? key.map(() => null);
}

function cellOf(column: string, row: string | undefined): string {
  return row === undefined ? escapeIdentifier(column) : `${row}.${escapeIdentifier(column)}`;
}
