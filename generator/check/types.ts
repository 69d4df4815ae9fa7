import type { ColumnType } from "../vocabulary/column-types.js";
import type { FieldType } from "../vocabulary/field-types.js";

/** Column types that hold the same values in SQL: a key and what refers to it must agree on this. */
type Family = "text" | "uuid" | "whole number" | "other";

export function familyOf(type: ColumnType): Family {
  switch (type) {
    case "nanoid":
    case "text":
      return "text";
    case "uuid":
      return "uuid";
    case "integer":
    case "bigint":
      return "whole number";
    case "number":
    case "boolean":
    case "timestamp":
    case "timestamptz":
    case "json":
      return "other";
    default:
      return type satisfies never;
  }
}

export function canBeKey(type: ColumnType): boolean {
  return familyOf(type) !== "other";
}

/** Column types whose values a field of the type can carry, and the other way round. */
const carriedBy: Readonly<Record<FieldType, readonly ColumnType[]>> = {
  string: ["text", "nanoid", "uuid", "timestamp", "timestamptz"],
  nanoid: ["nanoid", "text"],
  uuid: ["uuid", "text"],
  timestamp: ["timestamp", "timestamptz"],
  integer: ["integer", "bigint"],
  bigint: ["integer", "bigint"],
  number: ["number", "integer", "bigint"],
  boolean: ["boolean"],
  json: ["json"],
};

export function carries(field: FieldType, column: ColumnType): boolean {
  return carriedBy[field].includes(column);
}
