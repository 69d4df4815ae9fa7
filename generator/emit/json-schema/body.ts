import {
  BASE64,
  type ColumnType,
  DAY,
  DECIMAL,
  factsOf,
  isWideElement,
  wholeRange,
} from "@meshwright/runtime/column-types";
import { INT64 } from "@meshwright/runtime/int64";
import type { Column, JsonSchema, Table } from "../../model/mesh.js";

/** What POST takes. A row is softly deleted by DELETE alone. The database fills in what is left out: defaults, nulls, nanoid keys. */
export function createSchema(table: Table): JsonSchema {
  return {
    type: "object",
    properties: properties(table.columns.filter(({ name }) => name !== table.softDelete)),
    required: table.columns.filter((column) => !mayBeLeftOut(column, table)).map(shownName),
    additionalProperties: false,
  };
}

/** What PATCH takes. A key never changes: it is the id that events and caches know the entity by. */
export function patchSchema(table: Table): JsonSchema {
  return {
    type: "object",
    properties: properties(table.columns.filter(({ key, name }) => !key && name !== table.softDelete)),
    minProperties: 1,
    additionalProperties: false,
  };
}

/** Whether a row may be created without saying this column. */
export function mayBeLeftOut(column: Column, table: Table): boolean {
  return (
    column.nullable ||
    column.default !== undefined ||
    column.defaulted === true ||
    isDrawnByRuntime(column, table)
  );
}

/** The runtime draws a nanoid that is the whole key; of several key columns the writer says all. */
export function isDrawnByRuntime({ name, type }: Column, { key }: Table): boolean {
  return key.join() === name && factsOf(type).drawn === true;
}

/** How REST calls the column. */
export function shownName({ name, shown }: Column): string {
  return shown ?? name;
}

function properties(columns: readonly Column[]): Record<string, JsonSchema> {
  return Object.fromEntries(columns.map((column) => [shownName(column), columnSchema(column)]));
}

function columnSchema(column: Column): JsonSchema {
  const schema = column.oneOf === undefined ? valueSchema(column) : { enum: column.oneOf };
  if (column.wide === true) return wideSchema(column);
  if (!column.nullable) return schema;
  if (schema.enum !== undefined) return { enum: [...(column.oneOf ?? []), null] };
  return schema.type === undefined ? schema : { ...schema, type: [schema.type, "null"] };
}

/** A decimal string, or a number as it is written: its digits are looked at where they are still there. */
function wideSchema({ nullable }: Column): JsonSchema {
  return { type: ["string", "integer", ...(nullable ? ["null"] : [])], pattern: INT64 };
}

/** The values that PostgreSQL takes for the type; what it refuses must fail here, as a 422. */
function valueSchema({ type, key }: Pick<Column, "type" | "key">): JsonSchema {
  const { kind, bits, length, element } = factsOf(type);
  switch (kind) {
    case "text":
      return {
        type: "string",
        ...(key && { minLength: 1 }),
        ...(length !== undefined && { maxLength: length }),
        pattern: "^[^\\u0000]*$",
      };
    case "uuid":
      return { type: "string", pattern: "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$" };
    case "whole number":
      return { type: "integer", ...wholeRange(bits) };
    case "number":
      return { type: "number" };
    case "boolean":
      return { type: "boolean" };
    case "moment":
      return { type: "string", pattern: MOMENT };
    case "decimal":
      return { type: "string", pattern: DECIMAL };
    case "day":
      return { type: "string", pattern: DAY };
    case "bytes":
      return { type: "string", pattern: BASE64, contentEncoding: "base64" };
    case "document":
      return {};
    case "list":
      return element === undefined ? {} : { type: "array", items: elementSchema(element) };
    default:
      return kind satisfies never;
  }
}

function elementSchema(type: ColumnType): JsonSchema {
  const { kind, bits } = factsOf(type);
  return isWideElement(kind, bits) ? { type: "string", pattern: INT64 } : valueSchema({ type, key: false });
}

/** RFC 3339, and offsets that are written shorter. No leap second, which PostgreSQL would make the next minute. */
const MOMENT =
  "^\\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\\d|3[01])[Tt ]([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d+)?" +
  "([Zz]|[+-]([01]\\d|2[0-3])(:?[0-5]\\d)?)$";
