import type { CatalogTable } from "@meshwright/runtime";
import type { Database, Mesh } from "../../model/mesh.js";
import { meshSchema, nameOnServer, placeOnServer } from "../../model/names.js";
import type { LeftOut } from "./adoptable-tables.js";

/*
 * A database in which another service of the mesh has tables already: the second one shares it. Pure.
 */

export interface Neighbours {
  /** The database that it shares; undefined: nobody else of the mesh has tables there. */
  readonly shares: string | undefined;
  /** Tables that are nobody's yet, or the service's own. */
  readonly free: readonly CatalogTable[];
  readonly leftOut: readonly LeftOut[];
}

/** `catalog`: of the whole database; `meshSchemas`: in which the mesh keeps its own tables there; `wanted`: the tables that are to be adopted. */
export function findNeighbours(
  mesh: Mesh | undefined,
  service: string,
  {
    catalog,
    meshSchemas,
    wanted,
  }: {
    readonly catalog: readonly CatalogTable[];
    readonly meshSchemas: readonly string[];
    readonly wanted: readonly CatalogTable[];
  },
): Neighbours {
  const others = (mesh?.databases ?? []).filter((database) => database.service !== service);
  const host = others.find((database) => isIn(database, { catalog, meshSchemas }));
  if (host === undefined) return { shares: undefined, free: wanted, leftOut: [] };
  const shares = nameOnServer(host);
  const sharing = others.filter((database) => nameOnServer(database) === shares);
  const ownerOf = (table: CatalogTable) =>
    sharing.find(({ tables }) => tables.some((each) => isAt(each, table)));
  return {
    shares,
    free: wanted.filter((table) => ownerOf(table) === undefined),
    leftOut: wanted.flatMap((table) => {
      const owner = ownerOf(table)?.service;
      return owner === undefined
        ? []
        : [
            {
              what: `${table.schema}.${table.name}`,
              why: `it belongs to "${owner}": others copy what its events tell`,
            },
          ];
    }),
  };
}

/** All its tables that exist are there, or all that the mesh has made: one table of the same name may be another one. */
function isIn(
  database: Database,
  {
    catalog,
    meshSchemas,
  }: { readonly catalog: readonly CatalogTable[]; readonly meshSchemas: readonly string[] },
): boolean {
  const existing = database.tables.filter((table) => table.existing === true);
  const isMade = existing.length === 0 && meshSchemas.includes(meshSchema(database));
  const tables = isMade ? database.tables : existing;
  return (
    tables.length > 0 &&
    tables.every((table) => {
      const known = catalog.find((each) => isAt(table, each));
      return (
        known !== undefined &&
        table.columns.every(({ name }) => known.columns.some((each) => each.name === name))
      );
    })
  );
}

function isAt(table: Database["tables"][number], { schema, name }: CatalogTable): boolean {
  const place = placeOnServer(table);
  return place.schema === schema && place.table === name;
}
