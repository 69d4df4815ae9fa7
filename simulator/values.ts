import type { ColumnDefinition } from "@meshwright/runtime";
import { type ColumnType, factsOf, kindOf } from "@meshwright/runtime/column-types";
import { joinId, utcText } from "@meshwright/runtime/simulation";
import { isForeign, type OwnedTable, type Owner } from "./mesh.js";

/*
 * The values that writers write: few, so that they meet.
 */

/** The last one has to be encoded in a subject. */
const IDS = ["1", "2", "3", "é.*>: %4\u0001"];

/** The id of an entity of the table. */
export function keyOf(owned: Owner, number: number): string {
  if (isForeign(owned)) return owned.ids[number % owned.ids.length] ?? "";
  return joinId(keyParts(owned, number));
}

/** The texts of its key columns; of several, rows share each. */
export function keyParts(owned: OwnedTable, number: number): readonly string[] {
  const [n, last] = [number % IDS.length, IDS.length - 1];
  const { key, refersTo } = owned;
  if (key.length === 1) return key.map((column) => keyValue(owned, column, n));
  return key.map((column, index) => {
    const isLast = index === 0 ? n >= IDS.length / 2 : n % 2 === 1;
    const target = refersTo.get(column.name);
    return target === undefined
      ? keyValue(owned, column, isLast ? last : 0)
      : keyOf(target, isLast ? last : 0);
  });
}

function keyValue({ table, samples }: OwnedTable, { name, type }: ColumnDefinition, n: number): string {
  const sample = samples.get(name)?.[n];
  if (sample !== undefined) return sample;
  const kind = kindOf(type);
  if (kind === "whole number") return String(n + 1);
  if (kind === "uuid") return `00000000-0000-4000-8000-00000000000${n + 1}`;
  return cut(`${table.name}-${IDS[n]}`, type);
}

/** Its end, as many characters as the column holds. */
function cut(text: string, type: ColumnType): string {
  const { length = 100 } = factsOf(type);
  return [...text].slice(-length).join("");
}

/** How far ahead of now moments are that mean an event: past, soon, after some more writes, and in no schedule. */
const AHEAD_MS = [-3_600_000, 300, 3_000, 20_000, 86_400_000];

/** A text that PostgreSQL reads as a value of the column; null for value 0 of a nullable column. */
export function valueFor(owned: OwnedTable, column: ColumnDefinition, value: number): string | null {
  if (column.nullable === true && value === 0) return null;
  const target = owned.refersTo.get(column.name);
  if (target !== undefined) return keyOf(target, value);
  if (owned.moments.has(column.name)) return new Date(Date.now() + (AHEAD_MS[value] ?? 0)).toISOString();
  // Every other value, so that rows enter partial copies and leave them.
  const wanted = owned.wanted.get(column.name) ?? [];
  if (wanted.length > 0 && value % 2 === 1)
    return inColumn(column, wanted[(value >> 1) % wanted.length] ?? null);
  const samples = owned.samples.get(column.name) ?? [];
  if (samples.length > 0) return samples[value % samples.length] ?? null;
  return plainValue(column, value);
}

/** A timestamp would ignore the offset of its text; JSON that is never NULL has a null of its own. */
function inColumn({ type, nullable }: ColumnDefinition, text: string | null): string | null {
  if (text === null && nullable !== true && kindOf(type) === "document") return "null";
  return text !== null && kindOf(type) === "moment" ? (utcText(text) ?? text) : text;
}

/** By its type alone. */
export function plainValue(column: ColumnDefinition, value: number): string {
  if (column.oneOf !== undefined) return String(column.oneOf[value % column.oneOf.length]);
  const { kind, scale, element } = factsOf(column.type);
  switch (kind) {
    case "whole number":
    case "number":
      return String(value + 1);
    case "boolean":
      return String(value % 2 === 0);
    case "moment":
      return `2026-01-0${value + 1} 00:00:00`;
    case "decimal":
      return `${value}.${"5".repeat(Math.min(scale ?? 1, 1))}`.replace(/\.$/, "");
    case "day":
      return `2026-01-0${value + 1}`;
    case "bytes":
      return `\\x0${value}ff`;
    case "list":
      return element === undefined ? "{}" : listFor({ name: column.name, type: element }, value);
    case "document":
      return JSON.stringify({ value });
    case "uuid":
      return `00000000-0000-4000-8000-0000000000a${value}`;
    case "text":
      return cut(`${column.name}-${value}`, column.type);
    default:
      return kind satisfies never;
  }
}

/** As many elements as the number says. */
function listFor(element: ColumnDefinition, value: number): string {
  return `{${Array.from({ length: value }, (_, at) => plainValue(element, at)).join(",")}}`;
}
