export type { Grants } from "./grants.js";
export { type AppliedMigration, type Migration, MigrationError } from "./ledger.js";
export { type MigrateOptions, type MigrationReport, mayMigrate, migrate, migrationState } from "./migrate.js";
