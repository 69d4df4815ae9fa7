import { ExistingDiffers, type MigratedDatabase } from "@meshwright/runtime";
import { plural } from "../../diagnostics/plural.js";
import type { Database } from "../../model/mesh.js";
import { migrateDatabase } from "../../project/migrate-database.js";
import { migrateInOrder } from "../../project/migrate-in-order.js";
import { visible } from "../../quote/visible.js";
import { colour, print, printJson, tell, withProgress } from "../../terminal/terminal.js";
import { reportDifferences } from "../existing-differences.js";
import type { ExitCode } from "../exit-code.js";
import { findRunningMesh, ownerUrl, type RunningMesh } from "../running-mesh.js";

export interface MigrateCommandOptions {
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** Stops at the first failure, which names its file. */
export async function migrate(only: string | undefined, options: MigrateCommandOptions): Promise<ExitCode> {
  const running = await findRunningMesh(only);
  const databases = running.services.flatMap(
    ({ database }) => running.mesh.databases.find(({ name }) => name === database) ?? [],
  );
  const migrated = await migrateInOrder(running.mesh, databases, (database) =>
    migrateOne(running, database, options),
  ).catch((error: unknown) => {
    if (error instanceof ExistingDiffers) return error;
    throw error;
  });
  if (migrated instanceof ExistingDiffers) {
    reportDifferences(migrated, running, options.json);
    return 1;
  }
  if (options.json) printJson({ databases: migrated });
  else for (const one of migrated) describe(one, options.dryRun);
  return 0;
}

async function migrateOne(
  running: RunningMesh,
  database: Database,
  { dryRun }: MigrateCommandOptions,
): Promise<MigratedDatabase> {
  const owner = ownerUrl(running, { database: database.name });
  const result = await withProgress(`migrating ${database.name}`, () =>
    migrateDatabase(database, owner, dryRun),
  );
  if (result.granted === null && owner.variable === database.ownerUrlVariable && !dryRun)
    tell(
      colour.yellow(
        `${database.name} has no role ${database.roles.service} to grant anything: run roles.sql`,
      ),
    );
  return result;
}

function describe(
  { database, applied, restored, pending, statements, granted }: MigratedDatabase,
  dryRun = false,
): void {
  if (dryRun) for (const what of restored) print(`${database}: would put back: ${what}`);
  const grants = granted === null ? "" : `; granted ${granted} what it needs`;
  if (pending.length > 0) {
    print(`${database}: would apply ${pending.join(", ")}`);
    statements.forEach(show);
  } else
    print(`${database}: ${applied.length > 0 ? `applied ${applied.join(", ")}` : "up to date"}${grants}`);
}

/** As a client of PostgreSQL would take it. What the runtime makes for itself is long, and the same in every database. */
function show({ name, own, statements }: MigratedDatabase["statements"][number]): void {
  if (own) {
    print(
      colour.dim(`-- ${name}: ${plural(statements.length, "statement")} for schema mesh; --json has them`),
    );
    return;
  }
  print(colour.dim(`-- ${name}`));
  for (const statement of statements) print(`${visible(statement)};`);
}
