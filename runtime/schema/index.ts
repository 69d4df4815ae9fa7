export { type AppliedMigration, type Migration, MigrationError } from "./ledger.js";
export { type MigrateOptions, type MigrationReport, migrate, migrationState } from "./migrate.js";
