import { type ColumnType, kindOf, withoutTrailingZeros } from "./column-types.js";
import { utcText } from "./moment.js";

/*
 * Values as a condition of mesh.yaml compares them: `when` of an event in SQL, `where` of a copy in messages and rows.
 */

/** One text for each value, whatever its spelling: 1.50 is 1.5, a uuid may be written in capitals, and a moment with any offset. */
export function comparableText(type: ColumnType, value: string | number | boolean): string {
  const kind = kindOf(type);
  switch (kind) {
    case "uuid":
      return String(value).toLowerCase();
    case "number":
      // Negative zero is a text here, and equals zero.
      return String(Number(value) + 0);
    case "decimal":
      return comparableDecimal(String(value));
    case "moment":
      return comparableMoment(String(value));
    case "text":
    case "whole number":
    case "boolean":
    case "day":
    case "bytes":
    case "document":
    case "list":
      return String(value);
    default:
      return kind satisfies never;
  }
}

/** 1.50 is 1.5, and -0.0 is 0. */
function comparableDecimal(text: string): string {
  const short = text.includes(".") ? withoutTrailingZeros(text).replace(/\.$/, "") : text;
  return short === "-0" ? "0" : short;
}

/** To the microsecond, as a column holds it. */
function comparableMoment(text: string): string {
  const utc = utcText(text) ?? text;
  const [seconds = "", fraction = "0"] = utc.replace(/Z$/, "").split(".");
  const microseconds = Math.round(Number(`0.${fraction}`) * 1_000_000);
  // Rounded up to the next second.
  const carried = Date.parse(`${seconds}Z`) + (microseconds === 1_000_000 ? 1_000 : 0);
  return `${carried}.${microseconds % 1_000_000}`;
}

/** Whether a condition takes it for null: a message shows the null of JSON as it shows that of SQL. */
export function isNullLike(type: ColumnType, value: unknown): boolean {
  return value === null || (kindOf(type) === "document" && value === "null");
}
