import type { Database, Table } from "../../model/mesh.js";
import { literal, quotedName } from "../../quote/sql.js";
import { serviceTitle } from "../wording.js";

/**
 * The roles of a database, for two files: roles.sql, which an administrator runs once, and grants.sql, which the owner
 * runs after each migration.
 */
export interface RolesView {
  readonly header: string;
  readonly title: string;
  /** As SQL writes them as names, and as strings. */
  readonly role: string;
  readonly roleText: string;
  readonly owner: string;
  readonly ownerText: string;
  readonly database: string;
  readonly urlVariable: string;
  readonly ownerUrlVariable: string;
  readonly tables: readonly string[];
  /** As elements of an array of what is there of them. */
  readonly tableTexts: string;
}

function quotedRelation({ name, at }: Table): string {
  return at === undefined ? quotedName(name) : `${quotedName(at.schema)}.${quotedName(at.table)}`;
}

export function rolesView(database: Database, header: string): RolesView {
  const { service, roles, urlVariable, ownerUrlVariable } = database;
  const tables = database.tables.map(quotedRelation);
  return {
    header,
    title: serviceTitle(service),
    role: quotedName(roles.service),
    roleText: literal(roles.service),
    owner: quotedName(roles.owner),
    ownerText: literal(roles.owner),
    database: quotedName(database.name),
    urlVariable,
    ownerUrlVariable,
    tables,
    tableTexts: tables.map((table) => `to_regclass(${literal(table)})`).join(", "),
  };
}
