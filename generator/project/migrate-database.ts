import { resolve } from "node:path";
import { type MigratedDatabase, type MigrationFiles, migrateAsOwner } from "@meshwright/runtime";
import type { Database } from "../model/mesh.js";
import { quietLogger } from "../terminal/terminal.js";
import { describedTables, describedViews } from "./described-tables.js";
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
  const tables = describedTables(database);
  const views = describedViews(database);
  const files = migrationFiles(database);
  const { name, ownerUrlVariable, roles } = database;
  return await migrateAsOwner(
    { ...files, name, ownerUrlVariable, roles, tables, views },
    { ...owner, logger: quietLogger, dryRun },
  );
}

/** Where its migrations are, in this folder. */
export function migrationFiles({ service, sql, shared }: Database): MigrationFiles {
  const migrations = resolve(GENERATED, service, "migrations");
  return {
    service,
    migrations,
    ...(sql === undefined ? {} : { sql }),
    ...(shared === undefined ? {} : { shared }),
  };
}
