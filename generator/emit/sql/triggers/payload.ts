import { wireExpression } from "@meshwright/runtime/column-sql";
import { fieldTypes, kindOf } from "@meshwright/runtime/column-types";
import { HOME, identifier, relation } from "../../../migrations/sql-names.js";
import { leavesOf } from "../../../model/field-leaves.js";
import type { Column, Event, Field, FieldSource, Table } from "../../../model/mesh.js";
import { literal } from "../../../quote/sql.js";

/*
 * The payload of an event as the columns of a SELECT, which PostgreSQL prints as JSON in their order, that of the wire,
 * without white space.
 */

/** The alias of the row that an event is made from, and of that row before the update. */
export interface EmittingRow {
  readonly row: string;
  readonly before: string | undefined;
}

export function payloadList({ payload }: Pick<Event, "payload">, table: Table, from: EmittingRow): string {
  return payload.map((field) => selected(field, table, from)).join(", ");
}

/** Columns of the table of which a message shows the values, and by which it finds what it shows. */
export function payloadColumns(event: Event, table: Table): readonly Column[] {
  const names = leavesOf(event).flatMap(({ source }) => columnBehind(source) ?? []);
  return [...new Set(names)].map((name) => columnOf(table, name));
}

function columnBehind(source: FieldSource | undefined): string | undefined {
  switch (source?.kind) {
    case "column":
    case "old":
      return source.column;
    case "referenced":
      return source.by;
    case "constant":
    case "object":
    case undefined:
      return undefined;
    default:
      return source satisfies never;
  }
}

function columnOf(table: Table, name: string): Column {
  const column = table.columns.find((each) => each.name === name);
  // Cannot happen: a rule refuses such an event in mesh.yaml.
  if (column === undefined) throw new Error(`table "${table.name}" has no column "${name}"`);
  return column;
}

/** The types of what the message shows. */
export function shownTypes(event: Event, table: Table): readonly Column["type"][] {
  return leavesOf(event).flatMap(({ source }) => shownColumn(source, table)?.type ?? []);
}

type ShownColumn = Pick<Column, "name" | "type" | "anyJson">;

/** The column whose values a field shows; undefined where it shows none. */
function shownColumn(source: FieldSource | undefined, table: Table): ShownColumn | undefined {
  if (source?.kind === "referenced") return source.column;
  const name = columnBehind(source);
  return name === undefined ? undefined : columnOf(table, name);
}

function selected(field: Field, table: Table, from: EmittingRow): string {
  const { source } = field;
  const printed = fieldValue(field, table, from);
  const isPlain =
    source?.kind === "column" &&
    source.column === field.name &&
    printed === `${from.row}.${identifier(field.name)}`;
  return isPlain ? printed : `${printed} AS ${identifier(field.name)}`;
}

function fieldValue(field: Field, table: Table, from: EmittingRow): string {
  const { source } = field;
  switch (source?.kind) {
    case "column":
    case "old":
    case "referenced":
      return columnValue(source, from, (value) => jsonValue(value, shownColumn(source, table), field));
    case "constant":
      return `${literal(JSON.stringify(source.value))}::json`;
    case "object":
      return `(SELECT row_to_json("$object".*) FROM (SELECT ${payloadList({ payload: source.fields }, table, from)}) AS "$object")`;
    case undefined:
      throw new Error(`nothing fills "${field.name}"`);
    default:
      return source satisfies never;
  }
}

/** SQL: the value of the column that fills a field, in the form that `shaped` gives it. */
export function columnValue(
  source: Extract<FieldSource, { kind: "column" | "old" | "referenced" }>,
  { row, before }: EmittingRow,
  shaped: (value: string) => string = (value) => value,
): string {
  switch (source.kind) {
    case "column":
      return shaped(`${row}.${identifier(source.column)}`);
    case "old":
      return before === undefined ? "NULL" : shaped(`${before}.${identifier(source.column)}`);
    case "referenced": {
      const { by, table, column } = source;
      const key = identifier(table.key[0] ?? "");
      // The function looks for no table by itself: whose it finds would be up to others.
      const place = table.at === undefined ? `${HOME}.${identifier(table.name)}` : relation(table);
      return `(SELECT ${shaped(`"$to".${identifier(column.name)}`)} FROM ${place} AS "$to" WHERE "$to".${key} = ${row}.${identifier(by)})`;
    }
    default:
      return source satisfies never;
  }
}

function jsonValue(value: string, column: ShownColumn | undefined, field: Field): string {
  if (column === undefined) return value;
  const { type, anyJson } = column;
  const asText = field.type !== undefined && fieldTypes[field.type] === "string";
  const kind = kindOf(type);
  switch (kind) {
    case "whole number":
    case "number":
    case "boolean":
      return asText ? `${value}::text` : value;
    // An infinite timestamp has no ISO form: to_char gives NULL, and the message null.
    case "moment":
    case "text":
    case "uuid":
    case "decimal":
    case "day":
    case "bytes":
    case "list":
    case "document":
      return wireExpression({ type, anyJson }, value);
    default:
      return kind satisfies never;
  }
}
