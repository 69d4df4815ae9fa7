export {
  type CatalogColumn,
  type CatalogForeignKey,
  type CatalogTable,
  readCatalog,
  readMeshSchemas,
} from "./catalog.js";
export { type CustomSqlMistake, findCustomSqlMistakes, normalizeSql } from "./custom-sql.js";
export { type Detached, type DetachOptions, detachDatabase } from "./detach.js";
export { type ExistingParts, readDifferences } from "./existing-drift.js";
export {
  compareExisting,
  describeDifference,
  type ExistingDifference,
  ExistingDiffers,
  type ExistingFindings,
  type ExistingTable,
  OWNER_BOUND,
} from "./existing-tables.js";
export type { MigrationFiles } from "./files.js";
export type { Grants } from "./grants.js";
export { TablesHeld } from "./held-tables.js";
export { type AppliedMigration, type Migration, MigrationError } from "./ledger.js";
export {
  type MigrateOptions,
  type MigrationReport,
  mayMigrate,
  migrate,
  migrationState,
  type PendingStatements,
} from "./migrate.js";
export {
  type MigrateAsOwnerOptions,
  type MigratedDatabase,
  migrateAsOwner,
  type OwnedDatabase,
} from "./migrate-as-owner.js";
export { type Statement, splitStatements } from "./split-statements.js";
