import { relation } from "../../migrations/sql-names.js";
import type { Database } from "../../model/mesh.js";
import { dollarQuote, literal } from "../../quote/sql.js";

/** roles.sql: the two roles of each database, which an administrator makes. Names and lists as SQL writes them as values. */
export interface RolesView {
  readonly header: string;
  readonly databases: readonly RolesRow[];
  /** The one that the head of the file speaks of. */
  readonly example: RolesRow;
  /** Which databases there are, for who is connected to another. */
  readonly hint: string;
  readonly quote: string;
}

interface RolesRow {
  readonly database: string;
  readonly owner: string;
  readonly service: string;
  readonly tables: string;
  /** Whether tables were there before the mesh, and are somebody's. */
  readonly existing: string;
  readonly comma: string;
}

/** Undefined for a mesh without a database of its own. */
export function rolesView(databases: readonly Database[], header: string): RolesView | undefined {
  const rows = databases.map(({ name, roles, tables, views }, index) => ({
    existing: tables.some(({ existing }) => existing === true) ? ", true" : ", false",
    database: literal(name),
    owner: literal(roles.owner),
    service: literal(roles.service),
    tables: `ARRAY[${[...tables, ...views].map((table) => literal(relation(table))).join(", ")}]`,
    comma: index === databases.length - 1 ? "" : ",",
  }));
  const [example] = rows;
  if (example === undefined) return undefined;
  const hint = literal(`Connect to one of: ${databases.map(({ name }) => name).join(", ")}.`);
  const view = { header, databases: rows, example, hint };
  return { ...view, quote: dollarQuote(JSON.stringify(view)) };
}
