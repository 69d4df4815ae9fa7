import type { Mesh } from "../model/mesh.js";
import { nameOnServer, placeOnServer } from "../model/names.js";
import type { TableSchema } from "./database-schema.js";
import { type MigrationRefusal, pathTo } from "./refusal.js";
import type { WrittenState } from "./written.js";

/*
 * Tables that go from one service to another one of the same PostgreSQL database. One that exists is released by the first
 * and adopted by the second. One that the mesh makes would be dropped here and made there, without its rows.
 */

/** A table of another service's database that lies in the same PostgreSQL database. */
export interface Neighbour {
  readonly service: string;
  readonly database: string;
  readonly table: string;
  readonly existing: boolean;
  readonly place: string;
}

/** What the others have, by the new model. */
export function neighboursOf(name: string, { databases }: Pick<Mesh, "databases">): readonly Neighbour[] {
  const own = databases.find((database) => database.name === name);
  if (own === undefined) return [];
  return databases
    .filter((other) => other.name !== name && nameOnServer(other) === nameOnServer(own))
    .flatMap((other) =>
      other.tables.map((table) => ({
        service: other.service,
        database: other.name,
        table: table.name,
        existing: table.existing === true,
        place: placeOf(table),
      })),
    );
}

function placeOf(table: Pick<TableSchema, "name" | "at">): string {
  const { schema, table: name } = placeOnServer(table);
  return `${schema}.${name}`;
}

export interface Moved {
  /** Names of the tables that would go. */
  readonly tables: ReadonlySet<string>;
  readonly refusals: readonly Omit<MigrationRefusal, "service">[];
}

export function findMoved(
  from: WrittenState,
  next: { readonly database: string; readonly tables: readonly TableSchema[] },
  neighbours: readonly Neighbour[],
): Moved {
  const kept = new Set(next.tables.flatMap(({ name, renamedFrom }) => [name, renamedFrom]));
  const moved = from.tables.flatMap((table) => {
    const to = neighbours.find(({ place }) => place === placeOf(table));
    if (kept.has(table.name) || to === undefined || (table.existing === true && to.existing)) return [];
    return [{ table, to }];
  });
  return {
    tables: new Set(moved.map(({ table }) => table.name)),
    refusals: moved.map(({ table, to }) => refuseMoved(table, { from: next.database, to })),
  };
}

function refuseMoved(
  table: TableSchema,
  { from, to }: { readonly from: string; readonly to: Neighbour },
): Omit<MigrationRefusal, "service"> {
  const at = {
    code: "move-table",
    path: pathTo(to.database, { table: to.table }),
    impossible: true,
  } as const;
  if (table.existing === true)
    return {
      ...at,
      message: `table "${to.table}" exists: ${from} had it as one that existed before the mesh, and ${to.database} would make it`,
      hint: "say existing: true here: its rows stay, and only the triggers change hands",
    };
  return {
    ...at,
    message: `table "${to.table}" would be dropped in ${from} with all of its rows, and ${to.existing ? `is to be there in ${to.database}` : `made anew in ${to.database}`}, which lies in the same PostgreSQL database`,
    hint:
      `keep it in ${from}, and let this one be made in another schema (schema: ${to.service}); ` +
      `when that is migrated, copy the rows by SQL of your own, and take the first one out of ${from}`,
  };
}
