import { MigrationError, TablesHeld } from "@meshwright/runtime";
import type { Database, Mesh } from "../model/mesh.js";
import { meshSchema, nameOnServer } from "../model/names.js";

/**
 * Migrates one database after the other, up to the first failure. One that takes a table from another service of its
 * PostgreSQL database comes behind that one, which releases it, and so does one that makes a table of a name that the other one gives
 * up. Throws `TablesHeld`, naming whom it can, or the first failure, where none of those does.
 */
export async function migrateInOrder<T>(
  mesh: Mesh,
  databases: readonly Database[],
  migrate: (database: Database) => Promise<T>,
): Promise<readonly T[]> {
  const results: T[] = [];
  let waiting = databases;
  while (waiting.length > 0) {
    const held: { readonly database: Database; readonly error: MigrationError }[] = [];
    for (const database of waiting)
      try {
        results.push(await migrate(database));
      } catch (error) {
        if (!waits(error)) throw error;
        held.push({ database, error });
      }
    const [first] = held;
    if (first !== undefined && held.length === waiting.length) throw namingHolders(first, mesh);
    waiting = held.map(({ database }) => database);
  }
  return results;
}

/** What PostgreSQL says of a table or an index whose name is taken. */
const DUPLICATE_TABLE = "42P07";

function waits(error: unknown): error is MigrationError {
  if (error instanceof TablesHeld) return true;
  const cause = error instanceof MigrationError ? error.cause : undefined;
  return cause instanceof Error && "code" in cause && cause.code === DUPLICATE_TABLE;
}

/** Where the schemas are another mesh's, the error stays as it is. */
function namingHolders(
  { database, error }: { database: Database; error: MigrationError },
  mesh: Mesh,
): Error {
  if (!(error instanceof TablesHeld)) return error;
  const holders = mesh.databases.filter(
    (each) => nameOnServer(each) === nameOnServer(database) && error.schemas.includes(meshSchema(each)),
  );
  if (holders.length === 0) return error;
  const names = holders.map(({ service }) => `"${service}"`).join(", ");
  return new TablesHeld(error.service, error.tables, error.schemas, names);
}
