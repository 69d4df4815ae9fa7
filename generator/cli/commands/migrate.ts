import { ExistingDiffers, type MigratedDatabase } from "@meshwright/runtime";
import { migrateDatabase } from "../../project/migrate-database.js";
import { colour, print, printJson, tell, withProgress } from "../../terminal/terminal.js";
import { reportDifferences } from "../existing-differences.js";
import type { ExitCode } from "../exit-code.js";
import { findRunningMesh, ownerUrl } from "../running-mesh.js";

export interface MigrateCommandOptions {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Migrates one database after the other; stops at the first failure, which names its file. */
export async function migrate(only: string | undefined, options: MigrateCommandOptions): Promise<ExitCode> {
  const running = await findRunningMesh(only);
  const results: MigratedDatabase[] = [];
  for (const service of running.services) {
    const database = running.mesh.databases.find(({ name }) => name === service.database);
    if (database === undefined) continue;
    const owner = ownerUrl(running, service);
    const work = () => migrateDatabase(database, owner, options.dryRun);
    const result = await withProgress(`migrating ${database.name}`, work).catch((error: unknown) => {
      if (error instanceof ExistingDiffers) return error;
      throw error;
    });
    if (result instanceof ExistingDiffers) {
      reportDifferences(result, running, options.json);
      return 1;
    }
    results.push(result);
    if (result.granted === null && owner.variable === database.ownerUrlVariable && !options.dryRun)
      tell(
        colour.yellow(
          `${database.name} has no role ${database.roles.service} to grant anything: run roles.sql`,
        ),
      );
  }
  if (options.json) printJson({ databases: results });
  else results.forEach(describe);
  return 0;
}

function describe({ database, applied, pending, granted }: MigratedDatabase): void {
  const grants = granted === null ? "" : `; granted ${granted} what it needs`;
  if (pending.length > 0) print(`${database}: would apply ${pending.join(", ")}`);
  else print(`${database}: ${applied.length > 0 ? `applied ${applied.join(", ")}` : "up to date"}${grants}`);
}
