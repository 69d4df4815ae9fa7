import { resolve } from "node:path";
import { createPool, mayMigrate, migrate, migrationState, requireOwnSessions } from "@meshwright/runtime";
import type { Database } from "../model/mesh.js";
import { quietLogger } from "../terminal/terminal.js";
import { GENERATED } from "./paths.js";
import { readGrants } from "./roles.js";
import { UsageError } from "./usage-error.js";

export interface DatabaseOwner {
  /** Of who migrates, and the variable that it is from. */
  readonly url: string;
  readonly variable: string;
}

export interface MigratedDatabase {
  readonly service: string;
  readonly database: string;
  readonly applied: readonly string[];
  readonly pending: readonly string[];
  /** The role whose grants were renewed; null where there is none, or it migrates itself. */
  readonly granted: string | null;
}

/** Applies what is pending as the owner, and renews the grants of the role that the service runs as. */
export async function migrateDatabase(
  database: Database,
  { url, variable }: DatabaseOwner,
  dryRun = false,
): Promise<MigratedDatabase> {
  const { name, service } = database;
  const pool = createPool({ url, service: `${service} (mesh migrate)`, max: 2, logger: quietLogger });
  const files = { service, migrations: resolve(GENERATED, service, "migrations") };
  const result = { service, database: name, applied: [], pending: [], granted: null };
  try {
    await requireOwnSessions({ pool, service, variable });
    const may = await mayMigrate(pool);
    if (dryRun || !may) {
      const { pending } = await migrationState(pool, files);
      if (dryRun || pending.length === 0) return { ...result, pending };
      const { ownerUrlVariable, roles } = database;
      throw new UsageError(
        `the role of ${variable} may not migrate ${name}`,
        `set ${ownerUrlVariable} to the URL of ${roles.owner}, whom roles.sql makes`,
      );
    }
    const grants = await readGrants(database);
    const { applied, granted } = await migrate(pool, { ...files, grants, logger: quietLogger });
    return { ...result, applied, granted: granted ? grants.role : null };
  } finally {
    await pool.end();
  }
}
