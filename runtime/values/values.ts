import { escapeIdentifier } from "pg";
import type { ColumnDefinition, TableDefinition } from "../definition/table-definition.js";
import { arrayLiteral } from "./array-literal.js";
import { wireExpression } from "./column-sql.js";
import {
  type ColumnType,
  DAY,
  factsOf,
  isBase64,
  isDecimalOf,
  isNumberOf,
  isWholeOf,
  isWideElement,
  kindOf,
} from "./column-types.js";
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

/** What a column is called in a JSON object; by default as in the table. */
export type NameOf = (column: ColumnDefinition) => string;

export const ownName: NameOf = ({ name }) => name;

/** Columns as SELECT lists them, each in its form on the wire. */
export function wireFields(columns: readonly ColumnDefinition[], row: string, nameOf = ownName): string {
  const fields = columns.map((column) => {
    const value = wireExpression(column, `${row}.${escapeIdentifier(column.name)}`);
    return `${value} AS ${escapeIdentifier(nameOf(column))}`;
  });
  return fields.join(", ");
}

/** SQL for a row of the table as the text of a JSON object, each column in its form on the wire. */
export function wireRow(
  { columns }: Pick<TableDefinition, "columns">,
  row: string,
  nameOf = ownName,
): string {
  // A subquery without FROM keeps the names of the columns. json_build_object would allow 50 columns at most.
  return `(SELECT pg_catalog.row_to_json("$wire")::text FROM (SELECT ${wireFields(columns, row, nameOf)}) AS "$wire")`;
}

const DECIMAL = /^[+-]?\d+$/;
const LARGEST = 2n ** 63n - 1n;

function isWide(text: string): boolean {
  if (!/^(0|-?[1-9]\d{0,18})$/.test(text)) return false;
  const value = BigInt(text);
  return value <= LARGEST && value >= -LARGEST - 1n;
}

/** Why the column cannot hold a parsed JSON value; undefined where it can. */
export function unfitReason({ type, wide }: ColumnValues, value: unknown): string | undefined {
  const facts = factsOf(type);
  const { kind, bits, element } = facts;
  switch (kind) {
    case "whole number":
      if (wide === true && typeof value === "string")
        return isWide(value) ? undefined : "is not a whole number of 64 bits";
      if (typeof value !== "number") return "is not a whole number";
      if (!Number.isSafeInteger(value)) return "is not a whole number within 2^53";
      return isWholeOf(bits, value) ? undefined : `is not a whole number of ${bits} bits`;
    case "number":
      if (!Number.isFinite(value)) return "is not a finite number";
      return isNumberOf(bits, value)
        ? undefined
        : "has more digits than single precision keeps, or is out of its range";
    case "boolean":
      return typeof value === "boolean" ? undefined : "is not true or false";
    case "moment":
      if (typeof value !== "string") return "is not a text";
      return utcText(value) === undefined ? "is not a moment in ISO 8601" : undefined;
    case "day":
      return typeof value === "string" && isDay(value) ? undefined : "is not a day in ISO 8601";
    case "decimal":
      return typeof value === "string" && isDecimalOf(facts, value) ? undefined : decimalRule(type, value);
    case "bytes":
      return typeof value === "string" && isBase64(value) ? undefined : "is not base64";
    case "text":
      if (typeof value !== "string") return "is not a text";
      if (isLongerThan(value, facts.length)) return `has more than ${facts.length} characters`;
      return facts.padded && value.endsWith(" ")
        ? "has a blank at its end, which PostgreSQL drops"
        : undefined;
    case "uuid":
      return typeof value === "string" ? undefined : "is not a text";
    case "list":
      if (!Array.isArray(value) || element === undefined) return "is not a list";
      return unfitElement(elementColumn(element), value);
    case "document":
      return undefined;
    default:
      return kind satisfies never;
  }
}

const dayForm = new RegExp(DAY);

function isDay(text: string): boolean {
  return dayForm.test(text) && utcText(text) !== undefined;
}

/** PostgreSQL counts characters, not UTF-16 units, and cuts blanks at the end without a word. */
function isLongerThan(text: string, length: number | undefined): boolean {
  return length !== undefined && text.length > length && [...text].length > length;
}

/** What a value's form depends on. */
type ColumnValues = Pick<ColumnDefinition, "type" | "wide">;

function elementColumn(element: ColumnType): ColumnValues {
  const { kind, bits } = factsOf(element);
  return { type: element, ...(isWideElement(kind, bits) && { wide: true }) };
}

function unfitElement(column: ColumnValues, values: readonly unknown[]): string | undefined {
  for (const [place, value] of values.entries()) {
    const reason =
      unfitReason(column, value) ?? (typeof value === "string" ? unstorableReason(value) : undefined);
    if (reason !== undefined) return `has an element, number ${place + 1}, that ${reason}`;
  }
  return undefined;
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
      if (Number.isFinite(Number(value))) refuseUnfit(column, Number(value));
      // The driver would send 0.
      return Object.is(value, -0) ? "-0" : value;
    case "text":
    case "uuid":
      // The driver would send half of a surrogate pair as U+FFFD.
      if (typeof value === "string" && !value.isWellFormed()) throw new UnfitValue(name, HALF_PAIR);
      if (kind === "text" && typeof value === "string") refuseUnfit(column, value);
      return value;
    case "decimal":
    case "day":
      refuseUnfit(column, value);
      return value;
    case "bytes":
      refuseUnfit(column, value);
      return `\\x${Buffer.from(String(value), "base64").toString("hex")}`;
    case "list": {
      refuseUnfit(column, value);
      const { element } = factsOf(type);
      if (!Array.isArray(value) || element === undefined) return value;
      const items = { ...elementColumn(element), name };
      return arrayLiteral(value.map((item) => toParameter(items, item)));
    }
    case "boolean":
      return value;
    default:
      return kind satisfies never;
  }
}

function refuseUnfit(column: ColumnDefinition, value: unknown): void {
  const reason = unfitReason(column, value);
  if (reason !== undefined) throw new UnfitValue(column.name, reason);
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

/** `numeric(6,2)`: what a decimal has to look like. */
function decimalRule(type: ColumnType, value: unknown): string {
  const { precision, scale = 0 } = factsOf(type);
  const form =
    typeof value === "number" ? "is a number, and a decimal travels as a text" : "is not a decimal";
  if (precision === undefined) return `${form}: "12.50", with digits and one point`;
  return `${form} of ${precision} digits at most, ${scale} of them behind the point: "${(0).toFixed(scale)}"`;
}
