import type { ColumnDefinition, ColumnType, TableDefinition } from "../definition.js";

/*
 * From JSON values to the columns of a table, set-based: one array per column, typed by a cast.
 */

/** Left out, though events of its kind carry it: the column's default. */
export const DEFAULT = Symbol("DEFAULT");

const ARRAY_TYPES: Readonly<Record<ColumnType, string>> = {
  nanoid: "text[]",
  text: "text[]",
  uuid: "uuid[]",
  integer: "integer[]",
  bigint: "bigint[]",
  number: "double precision[]",
  boolean: "boolean[]",
  // By way of timestamptz: a cast of '…+02:00' straight to timestamp would drop the offset in silence.
  timestamp: "timestamptz[]",
  json: "jsonb[]",
};

export function arrayType(column: ColumnDefinition): string {
  return ARRAY_TYPES[column.type];
}

export function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}

export function columnOf(table: TableDefinition, name: string): ColumnDefinition {
  const column = table.columns.find((candidate) => candidate.name === name);
  if (column === undefined) throw new Error(`table ${table.name} has no column ${name}`);
  return column;
}

/** What a field becomes in its column. A full event that leaves it out means the default, or NULL. */
export function toCell(column: ColumnDefinition, value: unknown): unknown {
  if (value === undefined) return column.defaulted === true || column.nullable !== true ? DEFAULT : null;
  if (value === null) return column.nullable !== true && column.defaulted === true ? DEFAULT : null;
  return column.type === "json" ? JSON.stringify(value) : value;
}

/**
 * A PostgreSQL array literal. JSON text is one but for its escapes, and the engine writes it many
 * times faster than the driver does; a backslash anywhere sends it the long way round.
 */
export function arrayLiteral(values: readonly unknown[]): string {
  const json = JSON.stringify(values);
  return json.includes("\\") ? `{${values.map(element).join(",")}}` : `{${json.slice(1, -1)}}`;
}

function element(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  return `"${String(value).replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}
