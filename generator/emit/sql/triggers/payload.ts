import { wireExpression } from "@meshwright/runtime/column-sql";
import { fieldTypes, kindOf } from "@meshwright/runtime/column-types";
import { identifier } from "../../../migrations/sql-names.js";
import type { Column, Event, Field, Table } from "../../../model/mesh.js";

/**
 * The payload of an event as the columns of a SELECT, from a row with this alias. PostgreSQL prints them as JSON
 * in this order, which is that of the documents, without white space.
 */
export function payloadList(event: Event, table: Table, row: string): string {
  return event.payload.map((field) => selected(field, columnOf(table, event, field), row)).join(", ");
}

/** Columns of the table that an event's message shows, in the order of the wire. */
export function payloadColumns(event: Event, table: Table): readonly Column[] {
  return event.payload.map((field) => columnOf(table, event, field));
}

function columnOf(table: Table, event: Event, field: Field): Column {
  const column = table.columns.find(({ name }) => name === field.source);
  // Cannot happen: a rule refuses such an event in mesh.yaml.
  if (column === undefined) {
    throw new Error(`event ${event.name}: table "${table.name}" has no column for "${field.name}"`);
  }
  return column;
}

function selected(field: Field, column: Column, row: string): string {
  const value = `${row}.${identifier(column.name)}`;
  const printed = jsonValue(value, column, field);
  return printed === value && field.name === column.name ? value : `${printed} AS ${identifier(field.name)}`;
}

function jsonValue(value: string, column: Column, field: Field): string {
  const asText = field.type !== undefined && fieldTypes[field.type] === "string";
  const kind = kindOf(column.type);
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
      return wireExpression(column, value);
    case "document":
      return value;
    default:
      return kind satisfies never;
  }
}
