import { escapeIdentifier } from "pg";
import type { ColumnDefinition, TableDefinition } from "../definition.js";
import { columnTypes, isWholeOf, kindOf, wireExpression } from "./column-types.js";
import { JsonText, printJson } from "./json-text.js";
import { utcText } from "./moment.js";

/*
 * The form of a column's values on the wire (events, lists, answers, rows of repositories), and their way to PostgreSQL and back,
 * unchanged. None of it depends on the session's settings.
 */

/** The column cannot hold the value exactly as it was given. */
export class UnfitValue extends TypeError {
  override readonly name = "UnfitValue";

  constructor(
    readonly column: string,
    readonly reason: string,
  ) {
    super(`${column} ${reason}`);
  }
}

/** SQL for a row of the table as the text of a JSON object, each column in its form on the wire. */
export function wireRow(table: TableDefinition, row: string): string {
  const fields = table.columns.map((column) => {
    const name = escapeIdentifier(column.name);
    return `${wireExpression(column, `${row}.${name}`)} AS ${name}`;
  });
  // A subquery without FROM keeps the names of the columns. json_build_object would allow 50 columns at most.
  return `(SELECT row_to_json("$wire")::text FROM (SELECT ${fields.join(", ")}) AS "$wire")`;
}

const DECIMAL = /^[+-]?\d+$/;
const LARGEST = 2n ** 63n - 1n;

function isWide(text: string): boolean {
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text)) return false;
  const value = BigInt(text);
  return value <= LARGEST && value >= -LARGEST - 1n;
}

/** Why the column cannot hold a parsed JSON value; undefined where it can. */
export function unfitReason({ type, wide }: ColumnDefinition, value: unknown): string | undefined {
  const { kind, bits } = columnTypes[type];
  switch (kind) {
    case "whole number":
      if (wide === true && typeof value === "string")
        return isWide(value) ? undefined : "is not a whole number of 64 bits";
      if (typeof value !== "number") return "is not a whole number";
      if (!Number.isSafeInteger(value)) return "is not a whole number within 2^53";
      return isWholeOf(bits, value) ? undefined : `is not a whole number of ${bits} bits`;
    case "number":
      return Number.isFinite(value) ? undefined : "is not a finite number";
    case "boolean":
      return typeof value === "boolean" ? undefined : "is not true or false";
    case "moment":
      if (typeof value !== "string") return "is not a text";
      return utcText(value) === undefined ? "is not a moment in ISO 8601" : undefined;
    case "text":
    case "uuid":
      return typeof value === "string" ? undefined : "is not a text";
    case "document":
      return undefined;
    default:
      return kind satisfies never;
  }
}

/** A value as a parameter or cell. Throws `UnfitValue` where PostgreSQL would store, or look for, another value. */
export function toParameter(column: ColumnDefinition, value: unknown): unknown {
  const { name, type } = column;
  const kind = kindOf(type);
  if (kind === "document") return value === null && column.nullable === true ? null : printJson(value);
  if (value === null || value === undefined) return value;
  switch (kind) {
    case "moment": {
      const moment = utcText(value instanceof Date ? value.toISOString() : String(value));
      if (moment === undefined) throw new UnfitValue(name, "is not a moment in ISO 8601");
      return moment;
    }
    case "whole number":
      refuseInexact(column, value);
      return value;
    case "number":
      // The driver would send 0.
      return Object.is(value, -0) ? "-0" : value;
    case "text":
    case "uuid":
      // The driver would send half of a surrogate pair as U+FFFD.
      if (typeof value === "string" && !value.isWellFormed()) throw new UnfitValue(name, HALF_PAIR);
      return value;
    case "boolean":
      return value;
    default:
      return kind satisfies never;
  }
}

const HALF_PAIR = "has half of a surrogate pair";

/** Why PostgreSQL cannot store the text; undefined where it can. */
export function unstorableReason(text: string): string | undefined {
  if (text.includes("\0")) return "has a NUL";
  return text.isWellFormed() ? undefined : HALF_PAIR;
}

/** A number beyond 2^53 may not be the one that was meant; a column that is not wide has none. */
function refuseInexact({ name, wide }: ColumnDefinition, value: unknown): void {
  const isNumber = typeof value === "number";
  if (isNumber && !Number.isSafeInteger(value))
    throw new UnfitValue(name, "is not a whole number within 2^53");
  if (wide === true || isNumber) return;
  const text = String(value);
  if (DECIMAL.test(text) && !Number.isSafeInteger(Number(text)))
    throw new UnfitValue(name, "is not a whole number within 2^53");
}

/** A value of a request with the digits of its text, which the parsed value may have lost. Throws `UnfitValue`. */
export function asWritten(column: ColumnDefinition, value: unknown, written: string | undefined): unknown {
  if (written === undefined) return value;
  if (kindOf(column.type) === "document") return value === null ? null : new JsonText(written);
  if (column.wide !== true || typeof value !== "number" || Number.isSafeInteger(value)) return value;
  if (!isWide(written)) throw new UnfitValue(column.name, "is not a whole number of 64 bits");
  return written;
}

/** Names of the columns whose values JSON.parse may round: in `json` alone wide numbers travel as JSON numbers. */
export function jsonColumns(columns: readonly ColumnDefinition[]): ReadonlySet<string> {
  return new Set(columns.filter(({ type }) => kindOf(type) === "document").map(({ name }) => name));
}
