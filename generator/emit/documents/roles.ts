import { relation } from "../../migrations/sql-names.js";
import { hasExisting } from "../../model/has-existing.js";
import type { Database } from "../../model/mesh.js";
import { meshSchema, nameOnServer } from "../../model/names.js";
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
  /** What PostgreSQL calls it. */
  readonly database: string;
  /** Schema of the mesh's tables. */
  readonly mesh: string;
  /** Whether it lies within another one, which has its own owner. */
  readonly shared: string;
  readonly owner: string;
  readonly service: string;
  readonly tables: string;
  /** Whether tables were there before the mesh, and are somebody's. */
  readonly existing: string;
  readonly comma: string;
}

/** Undefined for a mesh without a database of its own. */
export function rolesView(databases: readonly Database[], header: string): RolesView | undefined {
  // What shares a database comes behind the one that it lies in.
  const sorted = databases.toSorted(
    (a, b) => Number(a.shared !== undefined) - Number(b.shared !== undefined),
  );
  const rows = sorted.map(({ name, shared, roles, tables, views }, index) => ({
    mesh: literal(meshSchema({ shared })),
    shared: String(shared !== undefined),
    existing: String(hasExisting({ tables })),
    database: literal(nameOnServer({ name, shared })),
    owner: literal(roles.owner),
    service: literal(roles.service),
    tables: `ARRAY[${[...tables, ...views].map((table) => literal(relation(table))).join(", ")}]`,
    comma: index === databases.length - 1 ? "" : ",",
  }));
  const [example] = rows;
  if (example === undefined) return undefined;
  const hint = literal(`Connect to one of: ${[...new Set(databases.map(nameOnServer))].join(", ")}; `);
  const view = { header, databases: rows, example, hint };
  return { ...view, quote: dollarQuote(JSON.stringify(view)) };
}
