import { idExpression, livesExpression, textExpression } from "@meshwright/runtime/column-sql";
import type { Column, Table } from "../model/mesh.js";
import { literal, SCHEMA_MARK } from "../quote/sql.js";
import { identifier, identifiers } from "./sql-names.js";

/*
 * A row in SQL: its key, the id that the key makes, and whether it lives.
 */

/** A column as text, of a row where one is named. */
export function columnText(table: Table, column: string, row?: string): string {
  const found = table.columns.find(({ name }) => name === column);
  const cell = cellOf(column, row);
  return found === undefined ? `${cell}::text` : textExpression(found, cell);
}

/** The id of the entity of a row. */
export function idText(table: Table, row: string): string {
  const [name = "", ...others] = table.key;
  return others.length === 0 ? columnText(table, name, row) : comparedId(table, row);
}

/** The same where it is compared: as a text whatever its column is. */
export function comparedId(table: Table, row: string): string {
  const columns = table.key.flatMap((key) => table.columns.find(({ name }) => name === key) ?? []);
  return idExpression(
    columns.map(({ name, type }) => ({ type, value: cellOf(name, row) })),
    SCHEMA_MARK,
  );
}

/** `order_id, line_no` */
export function keyList({ key }: Table): string {
  return identifiers(key);
}

/** The names as an argument of the functions of `mesh`, which take one or several. */
export function keyArgument({ key }: Table): string {
  const names = key.map(literal);
  return names.length === 1 ? names.join() : `ARRAY[${names.join(", ")}]::name[]`;
}

/** Columns that are no part of the key. */
export function withoutKey(table: Table, columns: readonly Column[]): readonly Column[] {
  return columns.filter(({ name }) => !table.key.includes(name));
}

function cellOf(column: string, row: string | undefined): string {
  return row === undefined ? identifier(column) : `${row}.${identifier(column)}`;
}

/** SQL: that the row is not softly deleted; empty where its table does not delete so. */
export function rowLives(table: Table, row: string): readonly string[] {
  const column = table.columns.find(({ name }) => name === table.softDelete);
  return column === undefined ? [] : [livesExpression(column, cellOf(column.name, row))];
}
