import type { ClientBase } from "pg";
import { type CatalogTable, readCatalog } from "./catalog.js";
import {
  type ExistingDifference,
  type ExistingTable,
  knownColumns,
  nameOf,
  typeDifference,
} from "./existing-tables.js";

/*
 * Views that mesh.yaml names: whether they are there, with columns of the types that it says. Keys and NULLs PostgreSQL does
 * not know of a view.
 */

/** Behind the migrations, which may make them. */
export async function compareViews(
  client: ClientBase,
  views: readonly ExistingTable[],
): Promise<readonly ExistingDifference[]> {
  if (views.length === 0) return [];
  const { rows } = await client.query<{ schema: string }>("SELECT mesh.home() AS schema");
  const placed = views.map((view) => ({
    view,
    at: view.at ?? { schema: rows[0]?.schema ?? "public", table: view.name },
  }));
  const catalog = await readCatalog(
    client,
    placed.map(({ at }) => at),
  );
  return placed.flatMap(({ view, at }) => {
    const known = catalog.find(({ schema, name }) => schema === at.schema && name === at.table);
    const say = (message: string): ExistingDifference => ({ table: view.name, isView: true, message });
    if (known === undefined) return [say(`there is no ${nameOf({ ...view, at })}`)];
    if (known.kind !== "v" && known.kind !== "m")
      return [say(`${nameOf({ ...view, at })} is no view: name it under "tables"`)];
    return differencesOfView(view, known);
  });
}

function differencesOfView(view: ExistingTable, known: CatalogTable): readonly ExistingDifference[] {
  const say = (message: string, column?: string): ExistingDifference => ({
    table: view.name,
    isView: true,
    ...(column === undefined ? {} : { column }),
    message,
  });
  return [
    ...(known.readable ? [] : [say(`it belongs to ${known.owner}, who lets this role not read it`)]),
    ...view.columns.flatMap((column) => {
      const message = typeDifference(column, known);
      return message === undefined ? [] : [{ ...say(message, column.name), ...knownColumns(column, known) }];
    }),
  ];
}
