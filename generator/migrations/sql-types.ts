import { columnTypes, kindOf, type SqlType as PostgresType } from "@meshwright/runtime/column-types";
import type { Column, ColumnDefault, ColumnType } from "../model/mesh.js";
import { literal } from "./sql-names.js";

/** As migrations print it. */
export type SqlType = Uppercase<PostgresType>;

export function sqlType(type: ColumnType): SqlType {
  return columnTypes[type].sql.toUpperCase() as SqlType;
}

export function sqlDefault(column: Pick<Column, "type" | "default">): string | undefined {
  if (column.default === undefined) return undefined;
  const { default: value, type } = column;
  // A bare 5 is an integer to PostgreSQL, which is no default for jsonb.
  return kindOf(type) === "document" && value.kind === "literal"
    ? literal(String(value.value))
    : printDefault(value);
}

function printDefault(value: ColumnDefault): string {
  switch (value.kind) {
    case "now":
      return "CURRENT_TIMESTAMP";
    case "now_utc":
      return "(CURRENT_TIMESTAMP AT TIME ZONE 'UTC')";
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

export interface Cast {
  /** Expression after USING; `column` is already quoted. */
  readonly using: (column: string) => string;
  /** Every value survives and can be told apart from every other. */
  readonly lossless: boolean;
}

/** From one SQL type to another. Where values may be lost or refused the cast still exists: it is for the caller to refuse it. */
export function castBetween(from: SqlType, to: SqlType): Cast {
  const plain = (column: string) => `${column}::${to}`;
  const key = `${from} > ${to}`;
  if (LOSSLESS.has(key)) return { using: plain, lossless: true };
  if (MOMENTS[key] !== undefined) return { using: MOMENTS[key], lossless: true };
  if (to === "JSONB") return { using: (column) => `to_jsonb(${column})`, lossless: true };
  if (VIA[key] !== undefined) return { using: VIA[key], lossless: false };
  return { using: DIRECT.has(key) || from === "TEXT" ? plain : throughText(to), lossless: false };
}

function throughText(to: SqlType): Cast["using"] {
  return (column) => `${column}::TEXT::${to}`;
}

/** Lossy casts that PostgreSQL has; all others but those from TEXT go through text, which at least tries. */
const DIRECT: ReadonlySet<string> = new Set([
  "BIGINT > INTEGER",
  "BIGINT > DOUBLE PRECISION",
  "DOUBLE PRECISION > INTEGER",
  "DOUBLE PRECISION > BIGINT",
  "INTEGER > BOOLEAN",
  "JSONB > INTEGER",
  "JSONB > BIGINT",
  "JSONB > DOUBLE PRECISION",
  "JSONB > BOOLEAN",
]);

/** BIGINT to DOUBLE PRECISION is not among them: past 2^53 neighbours fall together. JSONB to TEXT is: it prints all it holds. */
const LOSSLESS: ReadonlySet<string> = new Set([
  "INTEGER > BIGINT",
  "INTEGER > DOUBLE PRECISION",
  "BOOLEAN > INTEGER",
  "UUID > TEXT",
  "INTEGER > TEXT",
  "BIGINT > TEXT",
  "DOUBLE PRECISION > TEXT",
  "BOOLEAN > TEXT",
  "TIMESTAMP > TEXT",
  "JSONB > TEXT",
]);

/** A plain timestamp is UTC: casts between the two say so, whatever the session's time zone. */
const MOMENTS: Readonly<Record<string, (column: string) => string>> = {
  "TIMESTAMP > TIMESTAMPTZ": (column) => `${column} AT TIME ZONE 'UTC'`,
  "TIMESTAMPTZ > TIMESTAMP": (column) => `${column} AT TIME ZONE 'UTC'`,
  "TIMESTAMPTZ > TEXT": (column) => `(${column} AT TIME ZONE 'UTC')::TEXT || '+00'`,
};

/** What the pair means, where no cast says it. */
const VIA: Readonly<Record<string, (column: string) => string>> = {
  "BOOLEAN > BIGINT": (column) => `${column}::INTEGER::BIGINT`,
  "BOOLEAN > DOUBLE PRECISION": (column) => `${column}::INTEGER::DOUBLE PRECISION`,
  "BIGINT > BOOLEAN": (column) => `${column} <> 0`,
  "DOUBLE PRECISION > BOOLEAN": (column) => `${column} <> 0`,
  "INTEGER > TIMESTAMP": (column) => `to_timestamp(${column}) AT TIME ZONE 'UTC'`,
  "BIGINT > TIMESTAMP": (column) => `to_timestamp(${column}) AT TIME ZONE 'UTC'`,
  "DOUBLE PRECISION > TIMESTAMP": (column) => `to_timestamp(${column}) AT TIME ZONE 'UTC'`,
  "TEXT > TIMESTAMP": (column) => `${column}::TIMESTAMPTZ AT TIME ZONE 'UTC'`,
  "INTEGER > TIMESTAMPTZ": (column) => `to_timestamp(${column})`,
  "BIGINT > TIMESTAMPTZ": (column) => `to_timestamp(${column})`,
  "DOUBLE PRECISION > TIMESTAMPTZ": (column) => `to_timestamp(${column})`,
  "TIMESTAMPTZ > INTEGER": (column) => `extract(epoch FROM ${column})::INTEGER`,
  "TIMESTAMPTZ > BIGINT": (column) => `extract(epoch FROM ${column})::BIGINT`,
  "TIMESTAMPTZ > DOUBLE PRECISION": (column) => `extract(epoch FROM ${column})::DOUBLE PRECISION`,
  "TIMESTAMP > INTEGER": (column) => `extract(epoch FROM ${column})::INTEGER`,
  "TIMESTAMP > BIGINT": (column) => `extract(epoch FROM ${column})::BIGINT`,
  "TIMESTAMP > DOUBLE PRECISION": (column) => `extract(epoch FROM ${column})::DOUBLE PRECISION`,
};
