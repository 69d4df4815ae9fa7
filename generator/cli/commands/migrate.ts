import { resolve } from "node:path";
import {
  createPool,
  migrate as migrateDatabase,
  migrationState,
  requireOwnSessions,
} from "meshwright/runtime";
import type { Database } from "../../model/mesh.js";
import type { ExitCode } from "../exit.js";
import { readGrants } from "../grants.js";
import { GENERATED } from "../project.js";
import { findRunningMesh, ownerUrl } from "../running-mesh.js";
import { print, printJson, quietLogger, withProgress } from "../terminal.js";

export interface MigrateCommandOptions {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

interface Result {
  readonly service: string;
  readonly database: string;
  readonly applied: readonly string[];
  readonly pending: readonly string[];
  /** The role whose grants were renewed; null where there is none, or it migrates itself. */
  readonly granted: string | null;
}

/**
 * Applies what is pending as the owner, and renews the grants of the role that the service runs as; one service after
 * the other. Stops at the first failure, which names its file.
 */
export async function migrate(only: string | undefined, options: MigrateCommandOptions): Promise<ExitCode> {
  const running = await findRunningMesh(only);
  const results: Result[] = [];
  for (const service of running.services) {
    const database = running.mesh.databases.find(({ name }) => name === service.database);
    if (database === undefined) continue;
    const work = () => migrateOne(database, ownerUrl(running, service), options.dryRun ?? false);
    results.push(await withProgress(`migrating ${database.name}`, work));
  }
  if (options.json) printJson({ databases: results });
  else results.forEach(describe);
  return 0;
}

async function migrateOne(
  database: Database,
  { url, variable }: { readonly url: string; readonly variable: string },
  dryRun: boolean,
): Promise<Result> {
  const { name, service } = database;
  const pool = createPool({ url, service: `${service} (mesh migrate)`, max: 2, logger: quietLogger });
  const files = { service, migrations: resolve(GENERATED, service, "migrations") };
  const result = { service, database: name, applied: [], pending: [], granted: null };
  try {
    await requireOwnSessions({ pool, service, variable });
    if (dryRun) return { ...result, pending: (await migrationState(pool, files)).pending };
    const grants = await readGrants(database);
    const { applied, granted } = await migrateDatabase(pool, { ...files, grants, logger: quietLogger });
    return { ...result, applied, granted: granted ? grants.role : null };
  } finally {
    await pool.end();
  }
}

function describe({ database, applied, pending, granted }: Result): void {
  const grants = granted === null ? "" : `; granted ${granted} what it needs`;
  if (pending.length > 0) print(`${database}: would apply ${pending.join(", ")}`);
  else print(`${database}: ${applied.length > 0 ? `applied ${applied.join(", ")}` : "up to date"}${grants}`);
}
