import { ExistingDiffers, type MigratedDatabase } from "@meshwright/runtime";
import { suggest } from "../../diagnostics/suggest.js";
import { pathTo } from "../../migrations/refusal.js";
import type { Database } from "../../model/mesh.js";
import { migrateDatabase } from "../../project/migrate-database.js";
import { colour, print, printJson, tell, withProgress } from "../../terminal/terminal.js";
import type { ExitCode } from "../exit-code.js";
import { reportDiagnostics } from "../project.js";
import { findRunningMesh, ownerUrl, type RunningMesh } from "../running-mesh.js";

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
      reportDifferences(result, { database, running, json: options.json });
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

/** Each at its place in mesh.yaml. */
function reportDifferences(
  { differences }: ExistingDiffers,
  {
    database,
    running,
    json,
  }: { readonly database: Database; readonly running: RunningMesh; readonly json: boolean | undefined },
): void {
  const mistakes = differences.map(({ table, isView, column, message, known }) => ({
    code: "existing-differs",
    message: `${column === undefined ? `"${table}"` : `"${table}.${column}"`} of ${database.name} is not what this file says: ${message}`,
    ...meant(column ?? table, known),
    path: pathTo(database.name, {
      ...(isView ? { view: table } : { table }),
      ...(column === undefined ? {} : { column }),
    }),
  }));
  reportDiagnostics(running.locate(mistakes), json);
}

/** What is called nearly so in the database. */
function meant(name: string, known: readonly string[] = []): { readonly hint?: string } {
  const near = suggest(name, known);
  return near === undefined ? {} : { hint: `did you mean "${near}"?` };
}

function describe({ database, applied, pending, granted }: MigratedDatabase): void {
  const grants = granted === null ? "" : `; granted ${granted} what it needs`;
  if (pending.length > 0) print(`${database}: would apply ${pending.join(", ")}`);
  else print(`${database}: ${applied.length > 0 ? `applied ${applied.join(", ")}` : "up to date"}${grants}`);
}
