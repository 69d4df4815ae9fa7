import { createHash } from "node:crypto";
import type { Table } from "../model/mesh.js";
import { quotedName } from "../quote/sql.js";

/** PostgreSQL cuts longer identifiers silently (NAMEDATALEN - 1), so that two could become one. */
const MAX_IDENTIFIER_BYTES = 63;

/**
 * Joined by underscores, as PostgreSQL names what is left unnamed: `user_cache_username_key`. A name that
 * would be cut keeps its beginning and gets a hash of the whole, so it depends on nothing but its parts.
 */
export function objectName(...parts: readonly string[]): string {
  const name = parts.join("_");
  return Buffer.byteLength(name) <= MAX_IDENTIFIER_BYTES ? name : hashedName(name, name);
}

/** The same where other parts would join to the same name, as `a_b` and `c` do beside `a` and `b_c`. */
export function distinctName(...parts: readonly string[]): string {
  return hashedName(parts.join("_"), parts.join("\0"));
}

function hashedName(name: string, whole: string): string {
  const hash = createHash("sha256").update(whole).digest("hex").slice(0, 8);
  return `${cutToBytes(name, MAX_IDENTIFIER_BYTES - hash.length - 1)}_${hash}`;
}

function cutToBytes(text: string, bytes: number): string {
  let kept = "";
  for (const character of text) {
    if (Buffer.byteLength(kept + character) > bytes) break;
    kept += character;
  }
  return kept;
}

/** Words that PostgreSQL 13 to 18 do not take as a bare column or table name. */
const RESERVED = new Set(
  `all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate
  collation column concurrently constraint create cross current_catalog current_date current_role
  current_schema current_time current_timestamp current_user default deferrable desc distinct do else end
  except false fetch for foreign freeze from full grant group having ilike in initially inner intersect
  into is isnull join lateral leading left like limit localtime localtimestamp natural not notnull null
  offset on only or order outer overlaps placing primary references returning right select session_user
  similar some symmetric system_user table tablesample then to trailing true union unique user using
  variadic verbose when where window with`.split(/\s+/),
);

/** Bare where it can be, so that the SQL reads as a person would write it. */
export function identifier(name: string): string {
  return /^[a-z_][a-z0-9_]*$/.test(name) && !RESERVED.has(name) ? name : quotedName(name);
}

/** In the text of a function, stands for the schema where migrations make tables. No text of mesh.yaml holds it. */
export const HOME = "\u0000";

/** Begins the name of what is ours on a table that exists, so that it is nobody else's, and found when the mesh goes. */
export function ownPrefix({ existing }: Pick<Table, "existing">): readonly string[] {
  return existing === true ? ["mesh"] : [];
}

/**
 * What the names of its checks, keys and indexes begin with. Of a table that exists that is its name in PostgreSQL, behind `mesh`: as PostgreSQL itself
 * names what is left unnamed, so that ours is told from what a table called mesh_… had (`isOwnName` of the runtime).
 */
export function nameParts(table: Pick<Table, "existing" | "at" | "name">): readonly string[] {
  return table.existing === true ? ["mesh", table.at?.table ?? table.name] : [table.name];
}

/** A table as SQL names it. */
export function relation({ name, at }: Pick<Table, "name" | "at">): string {
  return at === undefined ? identifier(name) : `${identifier(at.schema)}.${identifier(at.table)}`;
}

export function identifiers(names: readonly string[]): string {
  return names.map(identifier).join(", ");
}
