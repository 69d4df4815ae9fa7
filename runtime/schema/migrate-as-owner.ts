import { createPool } from "../database/pool.js";
import { requireOwnSessions } from "../database/pooler.js";
import { relationOf } from "../database/relation.js";
import { withClient } from "../database/transaction.js";
import type { Logger } from "../definition/hook-definition.js";
import type { ExistingTable } from "./existing-tables.js";
import type { MigrationFiles } from "./files.js";
import { describeIdleTriggers } from "./idle-triggers.js";
import { MigrationError } from "./ledger.js";
import {
  mayMigrate,
  migrate,
  migrationState,
  type PendingStatements,
  requireExisting,
  requireViews,
} from "./migrate.js";

/** A database whose owner migrates it, and whose service runs as another role. */
export interface OwnedDatabase extends MigrationFiles {
  readonly name: string;
  /** `AUTH_DB_OWNER_URL` */
  readonly ownerUrlVariable: string;
  /** As roles.sql makes them: `auth_owner`, `auth_service`. */
  readonly roles: { readonly owner: string; readonly service: string };
  /** All of the service's: its role is granted these, and those that exist are compared with the catalogue. */
  readonly tables: readonly ExistingTable[];
  /** Its role may read these. */
  readonly views?: readonly ExistingTable[];
}

/** Who migrates, by URL. */
export interface MigrateAsOwnerOptions {
  readonly url: string;
  /** The variable that the URL is from, for messages. */
  readonly variable: string;
  readonly logger: Logger;
  /** Only say what is pending. Default false. */
  readonly dryRun?: boolean;
}

/** What `migrateAsOwner` did, or would do. */
export interface MigratedDatabase {
  readonly service: string;
  readonly database: string;
  /** Names of the migrations that this call applied, in order. */
  readonly applied: readonly string[];
  /** Tables whose triggers somebody had dropped or disabled, with what was put back, or would be. */
  readonly restored: readonly string[];
  /** Names that `dryRun` would apply. */
  readonly pending: readonly string[];
  /** What each of these would run. */
  readonly statements: readonly PendingStatements[];
  /** The role whose grants were renewed; null where there is none, or it migrates itself. */
  readonly granted: string | null;
}

/**
 * Applies what is pending and renews the grants of the service's role: `mesh migrate`, and `migrate` of a compiled
 * service. Rejects with `MigrationError` where the role may not migrate, files and database disagree or a file
 * fails, with `ConfigurationError` behind a pooler, and with the driver's error where the database is away.
 */
export async function migrateAsOwner(
  { service, name, migrations, sql, shared, ownerUrlVariable, roles, tables, views = [] }: OwnedDatabase,
  { url, variable, logger, dryRun = false }: MigrateAsOwnerOptions,
): Promise<MigratedDatabase> {
  const pool = createPool({
    url,
    service: `${service} (mesh migrate)`,
    max: 2,
    meshSchema: shared?.schema,
    logger,
  });
  const files = {
    service,
    migrations,
    ...(sql === undefined ? {} : { sql }),
    ...(shared === undefined ? {} : { shared }),
  };
  const result = {
    service,
    database: name,
    applied: [],
    restored: [],
    pending: [],
    statements: [],
    granted: null,
  };
  try {
    await requireOwnSessions({ pool, service, variable });
    const may = await mayMigrate(pool);
    if (dryRun) await requireExisting(pool, { service, tables, logger });
    if (dryRun || !may) {
      const { pending, statements } = await migrationState(pool, files);
      if (dryRun && pending.length === 0) await requireViews(pool, { service, views });
      const restored = dryRun ? await withClient(pool, describeIdleTriggers) : [];
      if (dryRun || pending.length === 0) return { ...result, restored, pending, statements };
      throw new MigrationError(
        `the role of ${variable} may not migrate ${name}: set ${ownerUrlVariable} to the URL of ${roles.owner}, whom roles.sql makes`,
      );
    }
    const grants = { role: roles.service, tables: [...tables, ...views].map(relationOf) };
    const { applied, restored, granted } = await migrate(pool, { ...files, tables, views, grants, logger });
    return { ...result, applied, restored, granted: granted ? roles.service : null };
  } finally {
    await pool.end();
  }
}
