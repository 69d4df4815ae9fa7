export {
  type ExistingMigration,
  type MigrationPlan,
  type PlanInput,
  type PlannedMigration,
  planMigrations,
} from "./plan.js";
export type { MigrationRefusal } from "./refusal.js";
