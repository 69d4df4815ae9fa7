import { createPool, MigrationError, migrationState } from "@meshwright/runtime";
import type { Database, Mesh } from "../model/mesh.js";
import { meshSchema } from "../model/names.js";
import { migrationFiles } from "../project/migrate-database.js";
import { UsageError } from "../project/usage-error.js";
import { quietLogger } from "../terminal/terminal.js";
import { type DevDatabases, isGiven } from "./databases.js";

/** The state folder belongs to another branch or another mesh: no service could start on its databases. */
export class ForeignState extends UsageError {
  override readonly name = "UsageError";
}

/** Rejects with `ForeignState` where the databases have migrations that this mesh does not know. Called before services start, which would only end again and again. */
export async function requireOwnState(mesh: Mesh, { owner }: DevDatabases, folder: string): Promise<void> {
  const own = mesh.databases.filter((database) => !isGiven(database));
  const reasons = await Promise.all(
    own.map(async (database) => {
      const reason = await findMisfit(owner[database.name], database);
      return reason === undefined ? [] : [`  ${database.name}: ${reason}`];
    }),
  );
  const found = reasons.flat();
  if (found.length === 0) return;
  throw new ForeignState(
    `the databases in ${folder} are of another branch, or of another mesh:\n${found.join("\n")}`,
    "forget them with `mesh dev --fresh`, go back to the branch that made them, or use another --state folder",
  );
}

async function findMisfit(url: string | undefined, database: Database): Promise<string | undefined> {
  if (url === undefined) return undefined;
  const pool = createPool({
    url,
    service: `${database.service} (mesh dev)`,
    max: 1,
    meshSchema: meshSchema(database),
    logger: quietLogger,
  });
  try {
    await migrationState(pool, migrationFiles(database));
    return undefined;
  } catch (error) {
    if (error instanceof MigrationError) return error.message;
    throw error;
  } finally {
    await pool.end();
  }
}
