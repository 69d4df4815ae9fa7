import { resolve } from "node:path";
import { type MigratedDatabase, migrateAsOwner } from "@meshwright/runtime";
import type { Database } from "../model/mesh.js";
import { quietLogger } from "../terminal/terminal.js";
import { describedTables } from "./described-tables.js";
import { GENERATED } from "./paths.js";

export interface DatabaseOwner {
  /** Of who migrates, and the variable that it is from. */
  readonly url: string;
  readonly variable: string;
}

/** Applies what is pending as the owner, and renews the grants of the role that the service runs as. */
export async function migrateDatabase(
  database: Database,
  owner: DatabaseOwner,
  dryRun = false,
): Promise<MigratedDatabase> {
  const migrations = resolve(GENERATED, database.service, "migrations");
  const tables = describedTables(database);
  return await migrateAsOwner({ ...database, migrations, tables }, { ...owner, logger: quietLogger, dryRun });
}
