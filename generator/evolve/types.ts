import type { Column, ColumnDefault, ColumnType } from "../model/mesh.js";
import { literal } from "./names.js";

export type SqlType =
  | "TEXT"
  | "UUID"
  | "INTEGER"
  | "BIGINT"
  | "DOUBLE PRECISION"
  | "BOOLEAN"
  | "TIMESTAMP"
  | "JSONB";

const SQL_TYPES: Readonly<Record<ColumnType, SqlType>> = {
  nanoid: "TEXT",
  text: "TEXT",
  uuid: "UUID",
  integer: "INTEGER",
  bigint: "BIGINT",
  number: "DOUBLE PRECISION",
  boolean: "BOOLEAN",
  timestamp: "TIMESTAMP",
  json: "JSONB",
};

export function sqlType(type: ColumnType): SqlType {
  return SQL_TYPES[type];
}

export function sqlDefault(column: Pick<Column, "type" | "default">): string | undefined {
  if (column.default === undefined) return undefined;
  const { default: value, type } = column;
  // A bare 5 is an integer to PostgreSQL, which is no default for jsonb.
  return type === "json" && value.kind === "literal" ? literal(String(value.value)) : printDefault(value);
}

function printDefault(value: ColumnDefault): string {
  if (value.kind === "now") return "CURRENT_TIMESTAMP";
  if (typeof value.value === "string") return literal(value.value);
  return typeof value.value === "boolean" ? (value.value ? "TRUE" : "FALSE") : String(value.value);
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

/** What the pair means, where no cast says it. */
const VIA: Readonly<Record<string, (column: string) => string>> = {
  "BOOLEAN > BIGINT": (column) => `${column}::INTEGER::BIGINT`,
  "BOOLEAN > DOUBLE PRECISION": (column) => `${column}::INTEGER::DOUBLE PRECISION`,
  "BIGINT > BOOLEAN": (column) => `${column} <> 0`,
  "DOUBLE PRECISION > BOOLEAN": (column) => `${column} <> 0`,
  "INTEGER > TIMESTAMP": (column) => `to_timestamp(${column}) AT TIME ZONE 'UTC'`,
  "BIGINT > TIMESTAMP": (column) => `to_timestamp(${column}) AT TIME ZONE 'UTC'`,
  "DOUBLE PRECISION > TIMESTAMP": (column) => `to_timestamp(${column}) AT TIME ZONE 'UTC'`,
  "TIMESTAMP > INTEGER": (column) => `extract(epoch FROM ${column})::INTEGER`,
  "TIMESTAMP > BIGINT": (column) => `extract(epoch FROM ${column})::BIGINT`,
  "TIMESTAMP > DOUBLE PRECISION": (column) => `extract(epoch FROM ${column})::DOUBLE PRECISION`,
};
