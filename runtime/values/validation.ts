import type { ValidationError } from "../definition/event-definition.js";
import { BASE64, DAY, DECIMAL, type ValueKind } from "./column-types.js";
import { INT64 } from "./int64.js";

/** What a value is that breaks the pattern of its column's type. */
export const FORMS: Readonly<Record<ValueKind, string | undefined>> = {
  text: "a text without NUL",
  uuid: "a uuid: 0188e2a1-7c4e-7b3a-9f53-0f5e0c1d2a3b",
  "whole number": "a whole number from -2^63 to 2^63-1",
  number: undefined,
  decimal: 'a decimal number as a text: "12.50"',
  boolean: undefined,
  moment: "a moment with its offset: 2026-01-31T12:00:00Z",
  day: "a day: 2026-01-31",
  bytes: "bytes in base64: SGVsbG8=",
  document: undefined,
  list: undefined,
};

/** Patterns that schemas give these kinds of values. */
const PATTERNS: ReadonlyMap<unknown, ValueKind> = new Map([
  [INT64, "whole number"],
  [DECIMAL, "decimal"],
  [DAY, "day"],
  [BASE64, "bytes"],
]);

/** The first of a validator's errors, and the number of the others. */
export function describeErrors(errors: readonly ValidationError[] | null | undefined): string {
  const [first, ...rest] = errors ?? [];
  if (first === undefined) return "refused by its schema";
  const where = first.instancePath === "" ? "the message" : first.instancePath;
  const more = rest.length === 0 ? "" : ` (and ${rest.length} more)`;
  return `${where} ${described(first)}${more}`;
}

function described({ keyword, params, message }: ValidationError): string {
  const kind = keyword === "pattern" ? PATTERNS.get(params.pattern) : undefined;
  if (kind === undefined) return message ?? keyword;
  return kind === "whole number" ? `must be ${FORMS[kind]}, as a text: "42"` : `must be ${FORMS[kind]}`;
}
