import type { Table } from "../model/mesh.js";
import { quotedName } from "../quote/sql.js";

export { distinctName, objectName } from "@meshwright/runtime/object-name";

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
