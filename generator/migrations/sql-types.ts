import { factsOf, kindOf } from "@meshwright/runtime/column-types";
import type { Column, ColumnDefault, ColumnType } from "../model/mesh.js";
import { literal } from "./sql-names.js";

export function sqlType(type: ColumnType): string {
  return factsOf(type).sql.toUpperCase();
}

export function sqlDefault(column: Pick<Column, "type" | "default">): string | undefined {
  if (column.default === undefined) return undefined;
  const { default: value, type } = column;
  return value.kind === "literal" ? literalDefault(type, value.value) : printDefault(value);
}

/** A bare 5 is an integer to PostgreSQL, which is no default for jsonb. */
function literalDefault(type: ColumnType, value: string | number | boolean): string {
  switch (kindOf(type)) {
    case "document":
      return literal(String(value));
    case "list":
      return literal(listLiteral(JSON.parse(String(value))));
    case "bytes":
      return `decode(${literal(String(value))}, 'base64')`;
    default:
      return constant(value);
  }
}

/** JSON's elements as PostgreSQL's. */
function listLiteral(values: readonly unknown[]): string {
  return `{${values.map((value) => `"${String(value).replace(/["\\]/g, "\\$&")}"`).join(",")}}`;
}

function printDefault(value: ColumnDefault): string {
  switch (value.kind) {
    case "now":
      return "CURRENT_TIMESTAMP";
    case "now_utc":
      return "(CURRENT_TIMESTAMP AT TIME ZONE 'UTC')";
    case "today_utc":
      return "(CURRENT_TIMESTAMP AT TIME ZONE 'UTC')::date";
    case "moment":
      return momentConstant(value.value);
    case "literal":
      return constant(value.value);
    default:
      return value satisfies never;
  }
}

/** A value of mesh.yaml as SQL. */
export function constant(value: string | number | boolean): string {
  if (typeof value === "string") return literal(value);
  return typeof value === "boolean" ? (value ? "TRUE" : "FALSE") : String(value);
}

/** As a plain timestamp in UTC: read as one directly, PostgreSQL would drop the offset in silence. */
export function momentConstant(text: string): string {
  return `(TIMESTAMPTZ ${literal(text)} AT TIME ZONE 'UTC')`;
}
