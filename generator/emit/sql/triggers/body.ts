import { fieldTypes, kindOf, wireExpression } from "@meshwright/runtime/column-types";
import type { Column, Event, Field, Table } from "../../../model/mesh.js";
import { identifier, literal } from "../sql-names.js";

/**
 * The message of an event as a format() call: a template with the keys in the documented order, and
 * the values that fill it. Cheaper than json_build_object, which looks up the type of every argument
 * in every call, and compact.
 */
export interface BodyView {
  /** A quoted SQL string. */
  readonly template: string;
  /** SQL expressions, one for each `%s`. */
  readonly values: readonly string[];
}

/** Where the parts of the metadata come from. */
export interface MetadataExpressions {
  readonly eventId: string;
  readonly entityId: string;
  readonly version: string;
}

/** Unix seconds. From a double, which holds them exactly: the numeric of extract() costs several times as much. */
const TIMESTAMP = "floor(date_part('epoch', now()))::bigint";

/** `row`: alias of the row whose columns are the payload. */
export function bodyView(event: Event, table: Table, row: string, metadata: MetadataExpressions): BodyView {
  const fields = event.payload.map((field) => ({
    key: field.name,
    value: fieldExpression(field, columnOf(table, event, field), row),
  }));
  const payload = fields.map(({ key }) => `,${templateText(JSON.stringify(key))}:%s`).join("");
  const source = templateText(JSON.stringify(event.source));
  return {
    template: literal(
      `{"metadata":{"event_id":"%s","entity_id":%s,"timestamp":%s,"source":${source},"version":%s}${payload}}`,
    ),
    values: [
      metadata.eventId,
      `to_json(${metadata.entityId})`,
      TIMESTAMP,
      metadata.version,
      ...fields.map(({ value }) => value),
    ],
  };
}

/** Columns of the table that an event's message shows, in the order of the wire. */
export function payloadColumns(event: Event, table: Table): readonly Column[] {
  return event.payload.map((field) => columnOf(table, event, field));
}

function columnOf(table: Table, event: Event, field: Field): Column {
  const column = table.columns.find(({ name }) => name === field.name);
  // The checks of mesh.yaml let no such event pass.
  if (column === undefined) {
    throw new Error(`event ${event.name}: table "${table.name}" has no column "${field.name}"`);
  }
  return column;
}

/** What format() prints as the field's JSON. Integers and jsonb print as JSON by themselves; NULL would print as nothing. */
function fieldExpression(field: Field, column: Column, row: string): string {
  const value = `${row}.${identifier(column.name)}`;
  const printed = jsonExpression(value, column, field);
  const mayBeNull = column.nullable || kindOf(column.type) === "moment";
  return mayBeNull ? `coalesce(${printed}::text, 'null')` : printed;
}

function jsonExpression(value: string, column: Column, field: Field): string {
  const asText = field.type !== undefined && fieldTypes[field.type] === "string";
  const kind = kindOf(column.type);
  switch (kind) {
    case "whole number":
      return asText ? `to_json(${value}::text)` : value;
    case "document":
      return value;
    // An infinite timestamp has no ISO form: to_char gives NULL, and the message null.
    case "moment":
    case "text":
    case "uuid":
      return `to_json(${wireExpression(column, value)})`;
    case "number":
    case "boolean":
      return asText ? `to_json(${value}::text)` : `to_json(${value})`;
    default:
      return kind satisfies never;
  }
}

function templateText(text: string): string {
  return text.replaceAll("%", "%%");
}
