import { resolve } from "node:path";
import {
  createPool,
  migrate as migrateDatabase,
  migrationState,
  requireOwnSessions,
} from "meshwright/runtime";
import type { Service } from "../../model/mesh.js";
import type { ExitCode } from "../exit.js";
import { GENERATED } from "../project.js";
import { databaseUrl, databaseVariable, findRunningMesh } from "../running-mesh.js";
import { print, printJson, quietLogger, withProgress } from "../terminal.js";

export interface MigrateCommandOptions {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

interface Result {
  readonly service: string;
  readonly database: string | undefined;
  readonly applied: readonly string[];
  readonly pending: readonly string[];
}

/** Applies what is pending, one service after the other; stops at the first failure, which names its file. */
export async function migrate(only: string | undefined, options: MigrateCommandOptions): Promise<ExitCode> {
  const running = await findRunningMesh(only);
  const results: Result[] = [];
  for (const service of running.services) {
    const url = databaseUrl(running, service);
    const variable = databaseVariable(running, service);
    const work = () => migrateOne(service, { url, variable }, options.dryRun ?? false);
    results.push(await withProgress(`migrating ${service.database}`, work));
  }
  if (options.json) printJson({ databases: results });
  else results.forEach(describe);
  return 0;
}

async function migrateOne(
  { name, database }: Service,
  { url, variable }: { readonly url: string; readonly variable: string },
  dryRun: boolean,
): Promise<Result> {
  const pool = createPool({ url, service: `${name} (mesh migrate)`, max: 2, logger: quietLogger });
  const files = { service: name, migrations: resolve(GENERATED, name, "migrations") };
  try {
    await requireOwnSessions({ pool, service: name, variable });
    if (dryRun) {
      const { pending } = await migrationState(pool, files);
      return { service: name, database, applied: [], pending };
    }
    const { applied } = await migrateDatabase(pool, { ...files, logger: quietLogger });
    return { service: name, database, applied, pending: [] };
  } finally {
    await pool.end();
  }
}

function describe({ database, applied, pending }: Result): void {
  if (pending.length > 0) print(`${database}: would apply ${pending.join(", ")}`);
  else print(`${database}: ${applied.length > 0 ? `applied ${applied.join(", ")}` : "up to date"}`);
}
