import { type MigrationPlan, type PlanInput, planMigrations } from "../../migrations/index.js";
import type { Templates } from "../../templates.js";
import { printMigration } from "./print-migration.js";
import { openSqlRender } from "./sql-render.js";
import { tableTriggers } from "./triggers/triggers.js";

/** The migrations that lead to a model, from what is there: planned, and printed as SQL. */
export function emitMigrations({
  templates,
  ...input
}: Omit<PlanInput, "sql"> & { readonly templates: Templates }): MigrationPlan {
  const render = openSqlRender(templates);
  return planMigrations({
    ...input,
    sql: {
      triggers: (mesh, service, table) => tableTriggers(mesh, service, table, render),
      print: (migration) => printMigration(migration, render),
    },
  });
}
