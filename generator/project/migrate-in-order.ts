import { TablesHeld } from "@meshwright/runtime";
import type { Database, Mesh } from "../model/mesh.js";
import { meshSchema, nameOnServer } from "../model/names.js";

/**
 * Migrates one database after the other, up to the first failure. One that takes a table from another service of its
 * PostgreSQL database comes behind that one, which releases it. Throws `TablesHeld`, naming whom it can, where none of those does.
 */
export async function migrateInOrder<T>(
  mesh: Mesh,
  databases: readonly Database[],
  migrate: (database: Database) => Promise<T>,
): Promise<readonly T[]> {
  const results: T[] = [];
  let waiting = databases;
  while (waiting.length > 0) {
    const held: { readonly database: Database; readonly error: TablesHeld }[] = [];
    for (const database of waiting)
      try {
        results.push(await migrate(database));
      } catch (error) {
        if (!(error instanceof TablesHeld)) throw error;
        held.push({ database, error });
      }
    const [first] = held;
    if (first !== undefined && held.length === waiting.length)
      throw namingHolders(first.error, first.database, mesh);
    waiting = held.map(({ database }) => database);
  }
  return results;
}

/** Where the schemas are another mesh's, the error stays as it is. */
function namingHolders(error: TablesHeld, database: Database, mesh: Mesh): TablesHeld {
  const holders = mesh.databases.filter(
    (each) => nameOnServer(each) === nameOnServer(database) && error.schemas.includes(meshSchema(each)),
  );
  if (holders.length === 0) return error;
  const names = holders.map(({ service }) => `"${service}"`).join(", ");
  return new TablesHeld(error.service, error.tables, error.schemas, names);
}
