import type { ColumnDefinition, TableDefinition } from "../definition/table-definition.js";
import { type ColumnType, factsOf, kindOf } from "../values/column-types.js";
import { fieldOf } from "../values/field.js";
import { writtenText } from "../values/json-text.js";
import { toParameter } from "../values/values.js";

/*
 * From JSON values to the columns of a table, set-based: one array per column, typed by a cast.
 */

/** Stands for the column's default: the field was left out, though events of this kind carry it. */
export const DEFAULT = Symbol("DEFAULT");

/** Columns hold UTC, and cells say so: `timestamp` ignores the offset of its text. */
export function arrayType({ type }: ColumnDefinition): string {
  return isList(type) ? "text[]" : `${factsOf(type).cast}[]`;
}

/** SQL: a cell of such an array as the column takes it. PostgreSQL has no array of arrays: a list is a cell of text. */
export function fromCell({ type }: ColumnDefinition, cell: string): string {
  return isList(type) ? `${cell}::${factsOf(type).cast}` : cell;
}

function isList(type: ColumnType): boolean {
  return kindOf(type) === "list";
}

export function columnOf(table: TableDefinition, name: string): ColumnDefinition {
  const column = table.columns.find((candidate) => candidate.name === name);
  if (column === undefined) throw new Error(`table ${table.name} has no column ${name}`);
  return column;
}

/**
 * The cell that a field of an event, or a member of a snapshot's row, becomes. A field that is left out means the default, or NULL in a nullable
 * column without one. In a column of JSON that is never NULL, null is the JSON value.
 */
export function toCell(
  column: ColumnDefinition,
  fields: Readonly<Record<string, unknown>>,
  name: string,
): unknown {
  const value = fieldOf(fields, name);
  const { type, nullable, defaulted } = column;
  if (value === undefined) return defaulted === true || nullable !== true ? DEFAULT : null;
  if (value === null && nullable === true) return null;
  if (kindOf(type) === "document") return writtenText(fields, name) ?? toParameter(column, value);
  if (value === null) return defaulted === true ? DEFAULT : null;
  return toParameter(column, value);
}
