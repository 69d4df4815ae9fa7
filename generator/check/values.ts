import {
  type ColumnType,
  DAY,
  factsOf,
  isBase64,
  isDecimalOf,
  isNumberOf,
  isWholeOf,
  isWideElement,
} from "@meshwright/runtime/column-types";
import { isInt64 } from "@meshwright/runtime/int64";

/*
 * Which values of mesh.yaml PostgreSQL takes as those of a column, and keeps as they are written. Stricter than
 * PostgreSQL where it would change them: no 24:00, no 61st second, no offset that leads out of the years 1 to 9999.
 */

const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function isValueOf(
  type: ColumnType,
  value: string | number | boolean,
  { allowsNow }: { readonly allowsNow: boolean },
): boolean {
  const facts = factsOf(type);
  const { kind, bits, length, element, padded } = facts;
  switch (kind) {
    case "text":
      if (typeof value !== "string" || (padded && value.endsWith(" "))) return false;
      return length === undefined || [...value].length <= length;
    case "uuid":
      return typeof value === "string" && uuidForm.test(value);
    case "whole number":
      return typeof value === "string" ? bits === 64 && isInt64(value) : isWholeOf(bits, value);
    case "number":
      return isNumberOf(bits, value);
    case "boolean":
      return typeof value === "boolean";
    case "moment":
      if (value === "now") return allowsNow;
      return typeof value === "string" && isMoment(value);
    case "day":
      if (value === "now") return allowsNow;
      return typeof value === "string" && dayForm.test(value) && isMoment(value);
    case "decimal":
      return typeof value !== "boolean" && isDecimalOf(facts, String(value));
    case "bytes":
      return typeof value === "string" && isBase64(value);
    case "list":
      return typeof value === "string" && element !== undefined && isListOf(element, value);
    case "document":
      return typeof value === "string" ? isJson(value) : typeof value === "boolean" || Number.isFinite(value);
    default:
      return kind satisfies never;
  }
}

const dayForm = new RegExp(DAY);

/** Its elements as the wire has them. */
function isListOf(element: ColumnType, text: string): boolean {
  if (!isJson(text)) return false;
  const values: unknown = JSON.parse(text);
  if (!Array.isArray(values)) return false;
  const { kind, bits } = factsOf(element);
  const isWide = isWideElement(kind, bits);
  return values.every(
    (value) =>
      (typeof value === "string" || typeof value === "number" || typeof value === "boolean") &&
      (!isWide || typeof value === "string") &&
      (kind !== "decimal" || typeof value === "string") &&
      isValueOf(element, value, { allowsNow: false }),
  );
}

const momentForm =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:\.\d{1,6})?)?(?:Z|([+-])(\d{2})(?::?(\d{2}))?)?)?$/;

/** A day of the calendar, perhaps with a time of day and an offset. */
function isMoment(text: string): boolean {
  const [whole, year, month, day, hour = 0, minute = 0, second = 0, sign, hours = 0, minutes = 0] =
    momentForm.exec(text) ?? [];
  if (whole === undefined) return false;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return false;
  if (Number(hours) > 15 || Number(minutes) > 59) return false;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  // The 30th of February is the 2nd of March to a Date.
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return false;
  const offset = (Number(hours) * 60 + Number(minutes)) * (sign === "-" ? -1 : 1);
  date.setUTCHours(Number(hour), Number(minute) - offset);
  return date.getUTCFullYear() >= 1 && date.getUTCFullYear() <= 9999;
}

/** As jsonb takes it: no NUL, no half of a surrogate pair, no number that numeric cannot hold. */
function isJson(text: string): boolean {
  let isStorable = true;
  try {
    JSON.parse(text, (key, value: unknown) => {
      if (isUnstorable(key) || (typeof value === "string" && isUnstorable(value))) isStorable = false;
      return value;
    });
  } catch (cause) {
    if (cause instanceof SyntaxError) return false;
    throw cause;
  }
  const numbers = text.replace(/"(?:[^"\\]|\\.)*"/g, "").match(/-?\d[\d.eE+-]*/g) ?? [];
  return isStorable && numbers.every(isNumeric);
}

function isUnstorable(text: string): boolean {
  return text.includes("\0") || /\p{Surrogate}/u.test(text);
}

/** 131,072 digits before the point and 16,383 after it. */
function isNumeric(text: string): boolean {
  const [, whole = "", fraction = "", exponent = "0"] =
    /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text) ?? [];
  const shift = Number(exponent);
  return Math.abs(shift) <= 16_000 && whole.length + shift <= 131_072 && fraction.length - shift <= 16_383;
}
