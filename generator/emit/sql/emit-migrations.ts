import { type MigrationPlan, type PlanInput, planMigrations } from "../../migrations/plan.js";
import { meshSchema } from "../../model/names.js";
import type { Templates } from "../../templates.js";
import { printMigration } from "./print-migration.js";
import { openSqlRender } from "./sql-render.js";
import { tableTriggers } from "./triggers/triggers.js";

/** The migrations that lead to a model, from what is there: planned, and printed as SQL. */
export function emitMigrations({
  templates,
  ...input
}: Omit<PlanInput, "sql"> & { readonly templates: Templates }): MigrationPlan {
  return planMigrations({
    ...input,
    sql(database) {
      const render = openSqlRender(templates, meshSchema(database));
      return {
        triggers: (mesh, table) => tableTriggers(mesh, { database, table, render }),
        print: (migration) => printMigration(migration, render),
      };
    },
  });
}
