import type { Database, Mesh, Service } from "../model/mesh.js";
import { databaseSchema } from "./build-schema.js";
import { compareDatabases } from "./compare-database.js";
import { continueLineage, printHead } from "./continue.js";
import type { DatabaseState } from "./database-schema.js";
import { checksum, type ExistingMigration, nameFor, readLineage } from "./lineage.js";
import { placesOf, type SqlPrinter } from "./migration-text.js";
import { neighboursOf } from "./moved-tables.js";
import type { MigrationRefusal } from "./refusal.js";
import { asWritten, NOTHING, type Owner, printModel } from "./written.js";

export type { ExistingMigration } from "./lineage.js";

export interface PlanInput {
  readonly next: Mesh;
  /** The migrations that the database of each service has, by name, whichever folder they are from. */
  readonly existing: Readonly<Record<string, readonly ExistingMigration[]>>;
  readonly allowDestructive: boolean;
  readonly sql: (database: Database) => SqlPrinter;
}

export interface PlannedMigration extends ExistingMigration {
  readonly sha256: string;
}

export interface MigrationPlan {
  /** All migrations of each service: those that exist untouched, then at most one new. */
  readonly files: Readonly<Record<string, readonly PlannedMigration[]>>;
  /** When there is any, its service gets no new file. */
  readonly refusals: readonly MigrationRefusal[];
}

/** The migrations that lead from one model to the other. Deterministic, and pure: what is on disk comes in as text. */
export function planMigrations(input: PlanInput): MigrationPlan {
  const refusals: MigrationRefusal[] = [];
  const files = input.next.services.flatMap((service) => {
    const database = ownDatabase(input.next, service);
    if (database === undefined) return [];
    const planned = planService(service, database, { ...input, refusals });
    return [[service.name, planned.map(withChecksum)] as const];
  });
  return { files: Object.fromEntries(files), refusals };
}

function ownDatabase(mesh: Mesh, service: Service): Database | undefined {
  return service.external ? undefined : mesh.databases.find(({ name }) => name === service.database);
}

interface ServiceContext extends PlanInput {
  readonly refusals: MigrationRefusal[];
}

function planService(
  service: Service,
  database: Database,
  context: ServiceContext,
): readonly ExistingMigration[] {
  const sql = context.sql(database);
  const existing = context.existing[service.name] ?? [];
  const next = databaseState(context.next, database, sql);
  const owner = {
    service: service.name,
    database: database.name,
    ...(database.shared && { schema: database.shared.schema }),
  };
  if (existing.length === 0) return [initialMigration(owner, next, sql)];
  const refuse = (refusal: MigrationRefusal) => context.refusals.push(refusal);
  const lineage = readLineage(existing, service.name, refuse);
  if (lineage === undefined) return existing;
  const { allowDestructive } = context;
  const neighbours = neighboursOf(database.name, context.next);
  const { file, refusals } = continueLineage(lineage, { owner, next, neighbours, sql, allowDestructive });
  context.refusals.push(...refusals);
  const files = lineage.links.map((link) => link.file);
  return file === undefined ? files : [...files, file];
}

/** What a model wants of a database. */
export function databaseState(
  mesh: Mesh,
  database: Database,
  sql: Pick<SqlPrinter, "triggers">,
): DatabaseState {
  const triggers = database.tables.map((table) => sql.triggers(mesh, table));
  return {
    schema: databaseSchema(mesh, database),
    triggers: {
      functions: triggers.flatMap((part) => part.functions),
      triggers: triggers.flatMap((part) => part.triggers),
    },
  };
}

function initialMigration(owner: Owner, next: DatabaseState, sql: SqlPrinter): ExistingMigration {
  // Nothing is there yet, so nothing can be refused.
  const steps = compareDatabases(NOTHING, next, () => undefined);
  const tables = next.schema.tables.map((table) => table.name).join(", ");
  const isFresh = next.schema.tables.every(({ existing }) => existing !== true);
  const text = sql.print({
    title: `${owner.service}: ${tables}.`,
    head: printHead([], []),
    sections: [{ after: undefined, byHand: [], steps }],
    places: placesOf(next.schema.tables),
    model: printModel(owner, undefined, asWritten(next)),
    ...(isFresh && { fresh: true }),
  });
  return { name: nameFor(text, { depth: 1, slug: "initial" }), text };
}

function withChecksum(file: ExistingMigration): PlannedMigration {
  return { ...file, sha256: checksum(file.text) };
}
