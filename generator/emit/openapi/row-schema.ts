import {
  BASE64,
  type ColumnType,
  DAY,
  DECIMAL,
  factsOf,
  isWideElement,
} from "@meshwright/runtime/column-types";
import { INT64 } from "@meshwright/runtime/int64";
import type { Column, JsonSchema, Table, View } from "../../model/mesh.js";
import { shownName } from "../json-schema/body.js";

/** A row as REST shows it: what shownColumns says, under the names that the columns have there. */
export function rowSchema(table: Table | View): JsonSchema {
  const shown = shownColumns(table);
  return {
    type: "object",
    ...(table.description === undefined ? {} : { description: table.description }),
    properties: Object.fromEntries(
      shown.map((column) => [shownName(column), orNull(column, describedValue(column))]),
    ),
    required: shown.map(shownName),
  };
}

/** Every column but the private ones and the one that says when a row was softly deleted: it is null in every row that REST shows. */
export function shownColumns(table: Table | View): readonly Column[] {
  const softDelete = "softDelete" in table ? table.softDelete : undefined;
  return table.columns.filter(({ name, private: hidden }) => hidden !== true && name !== softDelete);
}

/** A value of the column that is not null. */
export function shownValue(column: Column): JsonSchema {
  if (column.oneOf !== undefined) return { enum: column.oneOf };
  return column.wide === true ? { type: "string", pattern: INT64 } : wireSchema(column.type);
}

function describedValue(column: Column): JsonSchema {
  const description = column.description === undefined ? {} : { description: column.description };
  return { ...shownValue(column), ...description };
}

function orNull({ nullable }: Column, schema: JsonSchema): JsonSchema {
  if (!nullable) return schema;
  if (Array.isArray(schema.enum)) return { ...schema, enum: [...schema.enum, null] };
  return schema.type === undefined ? schema : { ...schema, type: [schema.type, "null"] };
}

function wireSchema(type: ColumnType): JsonSchema {
  const { kind, element } = factsOf(type);
  switch (kind) {
    case "text":
      return { type: "string" };
    case "uuid":
      return { type: "string", format: "uuid" };
    case "whole number":
      return { type: "integer" };
    case "number":
      return { type: "number" };
    case "decimal":
      return { type: "string", pattern: DECIMAL };
    case "boolean":
      return { type: "boolean" };
    case "moment":
      return { type: "string", format: "date-time" };
    case "day":
      return { type: "string", pattern: DAY };
    case "bytes":
      return { type: "string", pattern: BASE64, contentEncoding: "base64" };
    case "document":
      return {};
    case "list":
      return element === undefined ? {} : { type: "array", items: elementOf(element) };
    default:
      return kind satisfies never;
  }
}

function elementOf(type: ColumnType): JsonSchema {
  const { kind, bits } = factsOf(type);
  return isWideElement(kind, bits) ? { type: "string", pattern: INT64 } : wireSchema(type);
}
