import { join } from "node:path";
import { emitMigrations } from "../../generator/emit/sql/emit-migrations.js";
import type { PlannedMigration } from "../../generator/migrations/plan.js";
import type { Mesh } from "../../generator/model/mesh.js";
import { planOutput } from "../../generator/plan-output.js";
import { ROOT } from "./compile.js";
import { memoryFolder, readTree } from "./generated-output.js";

const templates = readTree(join(ROOT, "templates"));

export type Files = Readonly<Record<string, string>>;

/** All that `mesh generate` writes for the mesh in an empty folder, migrations included. */
export async function emitAll(mesh: Mesh): Promise<Files> {
  const { write, refusals } = await planOutput({
    mesh,
    version: "1.2.3",
    templates,
    folder: memoryFolder(),
    loadMigrationPlanner: async () => emitMigrations,
    allowDestructive: false,
  });
  if (refusals.length > 0) throw new Error(`refused: ${JSON.stringify(refusals)}`);
  return Object.fromEntries(write.map(({ path, text }) => [path, text]));
}

export function migrationsOf(files: Files): readonly Pick<PlannedMigration, "name" | "text">[] {
  return Object.entries(files)
    .filter(([path]) => path.includes("/migrations/"))
    .map(([name, text]) => ({ name, text }));
}
