import { resolve } from "node:path";
import { migrate as migrateDatabase, migrationState } from "meshwright/runtime";
import pg from "pg";
import type { Service } from "../../model/mesh.js";
import type { ExitCode } from "../exit.js";
import { GENERATED } from "../project.js";
import { databaseUrl, findRunningMesh } from "../running-mesh.js";
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
    const work = () => migrateOne(service, url, options.dryRun ?? false);
    results.push(await withProgress(`migrating ${service.database}`, work));
  }
  if (options.json) printJson({ databases: results });
  else results.forEach(describe);
  return 0;
}

async function migrateOne({ name, database }: Service, url: string, dryRun: boolean): Promise<Result> {
  // Two: one that works, one that looks who is in its way.
  const pool = new pg.Pool({ connectionString: url, application_name: "mesh migrate", max: 2 });
  pool.on("error", () => undefined);
  const files = { service: name, migrations: resolve(GENERATED, name, "migrations") };
  try {
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
