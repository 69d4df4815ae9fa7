import { type ColumnType, type FieldType, factsOf, kindOf } from "@meshwright/runtime/column-types";

/** The type of a field that shows a column, as mesh.yaml would say it: `string`, `bigint[]`. */
export interface ShownType {
  readonly type: FieldType;
  readonly isList: boolean;
}

/** `bigint` for a whole number of 64 bits: as a JSON number the largest ones would be other numbers to most readers. */
export function shownType(column: ColumnType): ShownType {
  const { element } = factsOf(column);
  return { type: single(element ?? column), isList: element !== undefined };
}

function single(type: ColumnType): FieldType {
  const { fields, bits } = factsOf(type);
  if (bits === 64) return "bigint";
  const exact = (["uuid", "timestamp", "date", "binary"] as const).find((field) => fields.includes(field));
  return kindOf(type) === "text" ? "string" : (exact ?? fields[0] ?? "string");
}
