import type { PoolClient } from "pg";
import type { Tx } from "../definition/hook-definition.js";
import type { ColumnDefinition } from "../definition/table-definition.js";
import { messageOf } from "../text/error-message.js";
import { kindOf } from "../values/column-types.js";
import { joinId, unfitId } from "../values/entity-id.js";
import { fieldOf, memberFilling } from "../values/field.js";
import { Unreadable } from "./json-array.js";

/*
 * Unfit rows: rows of a source that a snapshot cannot take, as a dead letter is poison of a stream. Each is set aside,
 * named and counted; what the cache has of it stays as it is, and all others are healed.
 */

export interface UnfitRow {
  /** Number among the elements of the source, from 1; null of one that was found in the copy. */
  readonly ordinal: number | null;
  /** Null where it names no entity that a copy could hold. */
  readonly id: string | null;
  readonly reason: string;
  /** What the source says of it, as JSON; null where it says nothing. */
  readonly element: string | null;
}

/** The elements of a chunk, sorted. */
export interface Judged<Fit> {
  readonly fit: readonly Fit[];
  readonly unfit: readonly UnfitRow[];
}

export const REPEATED = "another element has the same key";

/** As many are kept and shown; all are counted. */
const KEPT = 1_000;
const LOGGED = 10;
const REASON_CHARACTERS = 500;
const ELEMENT_CHARACTERS = 2_000;

/** What one snapshot sets aside, in bounded memory. */
export interface SetAside {
  add(rows: readonly UnfitRow[]): void;
  /** Adds rows of which only the number is known. Gives the total. */
  count(more?: number): number;
  /** Of those, elements that name no entity. */
  nameless(): number;
  /** The first of them. */
  kept(): readonly UnfitRow[];
}

export function createSetAside(): SetAside {
  const kept: UnfitRow[] = [];
  let count = 0;
  let nameless = 0;
  return {
    add(rows) {
      count += rows.length;
      for (const row of rows) {
        if (row.id === null) nameless += 1;
        if (kept.length < KEPT) kept.push(shorten(row));
      }
    },
    count(more = 0) {
      count += more;
      return count;
    },
    nameless: () => nameless,
    kept: () => kept,
  };
}

function shorten({ ordinal, id, reason, element }: UnfitRow): UnfitRow {
  return {
    ordinal,
    id: id?.slice(0, REASON_CHARACTERS) ?? null,
    reason: reason.slice(0, REASON_CHARACTERS),
    element: element?.slice(0, ELEMENT_CHARACTERS) ?? null,
  };
}

/** For the log, which must not grow with what a source gets wrong. */
export function describeUnfit(setAside: SetAside): object {
  const first = setAside.kept().slice(0, LOGGED);
  return { rows: setAside.count(), first: first.map((row) => `${nameOf(row)}: ${row.reason}`) };
}

/** What a log or a status calls the row. */
export function nameOf({ ordinal, id }: Pick<UnfitRow, "ordinal" | "id">): string {
  return id ?? `element ${ordinal}`;
}

/** Replaces what the last snapshot recorded. */
export async function recordUnfit(client: PoolClient, durable: string, setAside: SetAside): Promise<void> {
  const kept = setAside.kept();
  await client.query("BEGIN");
  await client.query("UPDATE mesh.subscription SET snapshot_unfit = $2 WHERE durable = $1", [
    durable,
    setAside.count(),
  ]);
  await client.query("DELETE FROM mesh.unfit_row WHERE durable = $1", [durable]);
  if (kept.length > 0)
    await client.query(
      `INSERT INTO mesh.unfit_row (durable, ordinal, entity_id, reason, element)
SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[])`,
      [
        durable,
        kept.map(({ ordinal }) => ordinal),
        kept.map(({ id }) => id && storable(id)),
        kept.map(({ reason }) => storable(reason)),
        kept.map(({ element }) => element && storable(element)),
      ],
    );
  await client.query("COMMIT");
}

/** The first of those that the last snapshot of a durable set aside. */
export async function readUnfit(tx: Tx, durable: string, limit: number): Promise<readonly UnfitRow[]> {
  const { rows } = await tx.query<UnfitRow>(
    `SELECT ordinal::double precision, entity_id AS id, reason, element FROM mesh.unfit_row
WHERE durable = $1 ORDER BY ordinal NULLS LAST, entity_id LIMIT $2`,
    [durable, limit],
  );
  return rows;
}

/** PostgreSQL holds no NUL in text. */
export function storable(text: string): string {
  return text.replaceAll("\0", "\\0");
}

/** An element as far as it could be read: its fields, and why it is no row. */
export interface ReadElement {
  readonly fields: Readonly<Record<string, unknown>> | undefined;
  readonly reason: string | undefined;
}

export function readElement(element: unknown): ReadElement {
  if (element instanceof Unreadable)
    return { fields: fieldsOf(readLeniently(element.text)), reason: element.reason };
  const fields = fieldsOf(element);
  return { fields, reason: fields === undefined ? "not an object" : undefined };
}

export function textOf(element: unknown): string {
  return element instanceof Unreadable ? element.text : printed(element);
}

/** As JSON, or that it is nested deeper than the stack. */
export function printed(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    return `a value that cannot be shown: ${messageOf(error)}`;
  }
}

function fieldsOf(element: unknown): ReadElement["fields"] {
  return typeof element === "object" && element !== null && !Array.isArray(element)
    ? (element as Record<string, unknown>)
    : undefined;
}

const STRING_OR_WORD = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g;

/** Of an element that is JSON but for what other languages write for a number that is none, so that its id is known. */
function readLeniently(text: string): unknown {
  try {
    return JSON.parse(text.replaceAll(STRING_OR_WORD, (match) => (match.startsWith('"') ? match : "null")));
  } catch {
    return undefined;
  }
}

/** A column of a key, or a field that is one elsewhere. */
type KeyField = Pick<ColumnDefinition, "name"> & Partial<Pick<ColumnDefinition, "type" | "member">>;

/**
 * The entity that a row's key names, as PostgreSQL would print it; read generously, since a row that is set aside
 * must not be taken for missing. Null where no copy could hold it.
 */
export function idOfRow(key: readonly KeyField[], fields: Readonly<Record<string, unknown>>): string | null {
  const parts: string[] = [];
  for (const column of key) {
    const part = partOf(column, fieldOf(fields, memberFilling(column)));
    if (part === null) return null;
    parts.push(part);
  }
  const id = joinId(parts);
  return unfitId(id) === undefined ? id : null;
}

/** As `idOfRow`, of a consumer that knows only the names of the key's fields. */
export function idOfFields(
  key: string | readonly string[],
  fields: Readonly<Record<string, unknown>>,
): string | null {
  return idOfRow(
    (typeof key === "string" ? [key] : key).map((name) => ({ name })),
    fields,
  );
}

function partOf({ type }: KeyField, value: unknown): string | null {
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") return null;
  const text = String(value);
  // Rounded: nobody knows whose it is.
  if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) return null;
  const kind = type && kindOf(type);
  switch (kind) {
    case "uuid":
      return canonicalUuid(text) ?? null;
    case "whole number":
      return /^-?\d{1,19}$/.test(text) ? String(BigInt(text)) : null;
    case undefined:
    case "text":
    case "number":
    case "boolean":
    case "decimal":
    case "moment":
    case "day":
    case "bytes":
    case "document":
    case "list":
      return text;
    default:
      return kind satisfies never;
  }
}

function canonicalUuid(text: string): string | undefined {
  const digits = text.replaceAll(/[{}-]/g, "").toLowerCase();
  return /^[0-9a-f]{32}$/.test(digits)
    ? digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5")
    : undefined;
}
