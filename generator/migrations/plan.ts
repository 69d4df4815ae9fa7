import type { Database, Mesh, Service } from "../model/mesh.js";
import { databaseSchema } from "./build-schema.js";
import { compareDatabases } from "./compare-database.js";
import { continueLineage, printHead } from "./continue.js";
import type { CheckSchema, DatabaseState } from "./database-schema.js";
import { findLegacyHistory } from "./history.js";
import { checksum, type ExistingMigration, nameFor, readFollows, readLineage } from "./lineage.js";
import { placesOf, type SqlPrinter } from "./migration-text.js";
import type { MigrationRefusal } from "./refusal.js";
import { identifier } from "./sql-names.js";
import { asWritten, NOTHING, type Owner, printModel, type WrittenState } from "./written.js";

export type { ExistingMigration } from "./lineage.js";

export interface PlanInput {
  /** The last model that an older generator wrote, whose migrations do not tell what they lead to. */
  readonly previous: Mesh | undefined;
  readonly next: Mesh;
  /** The migrations that the database of each service has, by name, whichever folder they are from. */
  readonly existing: Readonly<Record<string, readonly ExistingMigration[]>>;
  readonly allowDestructive: boolean;
  readonly sql: SqlPrinter;
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
  const { sql } = context;
  const existing = context.existing[service.name] ?? [];
  const next = databaseState(context.next, database, sql);
  const owner = { service: service.name, database: database.name };
  if (existing.length === 0) return [initialMigration(owner, next, sql)];
  const legacy = legacyState(service, existing, { ...context, owner, to: next });
  const refuse = (refusal: MigrationRefusal) => context.refusals.push(refusal);
  const lineage = readLineage(existing, { service: service.name, legacy, refuse });
  if (lineage === undefined) return existing;
  const { allowDestructive } = context;
  const { file, refusals } = continueLineage(lineage, { owner, next, sql, allowDestructive });
  context.refusals.push(...refusals);
  const files = lineage.links.map((link) => link.file);
  return file === undefined ? files : [...files, file];
}

/** What a chain of an older generator leads to: its last model, as far as its files say it. */
function legacyState(
  service: Service,
  existing: readonly ExistingMigration[],
  { previous, next, sql, owner, to }: ServiceContext & { readonly owner: Owner; readonly to: DatabaseState },
): WrittenState | undefined {
  const legacy = existing.filter(({ text }) => readFollows(text) === undefined);
  const files = legacy.map(({ text }) => text.replaceAll("\r\n", "\n"));
  if (files.length === 0) return undefined;
  const history = findLegacyHistory(previous, next, service);
  if (previous === undefined || history === undefined) {
    const isFirst = files.length === 1 && files[0] === initialText(owner, { next: to, sql, head: [] });
    return isFirst ? asWritten(to) : undefined;
  }
  const { schema, triggers } = databaseState(previous, history, sql);
  // What no file says has no database: an older generator printed it otherwise, or demanded less of a column.
  const actual = <T extends { readonly text: string }>(item: T): T =>
    files.some((file) => file.includes(item.text)) ? item : { ...item, text: "" };
  // By its name, which a renaming of its column says too; `one_of` was there from the beginning, and unnamed.
  const isThere = ({ name, values }: CheckSchema) =>
    values !== undefined ||
    files.some((file) =>
      [`CONSTRAINT ${identifier(name)} CHECK`, `TO ${identifier(name)};`].some((text) => file.includes(text)),
    );
  const tables = schema.tables.map((table) => ({ ...table, checks: table.checks.filter(isThere) }));
  return asWritten({
    schema: { tables },
    triggers: { functions: triggers.functions.map(actual), triggers: triggers.triggers.map(actual) },
  });
}

function databaseState(mesh: Mesh, database: Database, sql: SqlPrinter): DatabaseState {
  const triggers = database.tables.map((table) => sql.triggers(mesh, database.service, table));
  return {
    schema: databaseSchema(mesh, database),
    triggers: {
      functions: triggers.flatMap((part) => part.functions),
      triggers: triggers.flatMap((part) => part.triggers),
    },
  };
}

function initialMigration(owner: Owner, next: DatabaseState, sql: SqlPrinter): ExistingMigration {
  const head = printHead([], []);
  const model = printModel(owner, undefined, asWritten(next));
  const text = initialText(owner, { next, sql, head, model });
  return { name: nameFor(text, { depth: 1, slug: "initial" }), text };
}

function initialText(
  { service }: Owner,
  {
    next,
    sql,
    head,
    model = [],
  }: {
    readonly next: DatabaseState;
    readonly sql: SqlPrinter;
    readonly head: readonly string[];
    readonly model?: readonly string[];
  },
): string {
  // Nothing is there yet, so nothing can be refused.
  const steps = compareDatabases(NOTHING, next, () => undefined);
  const tables = next.schema.tables.map((table) => table.name).join(", ");
  const sections = [{ after: undefined, byHand: [], steps }];
  const title = `${service}: ${tables}.`;
  const isFresh = next.schema.tables.every(({ existing }) => existing !== true);
  const places = placesOf(next.schema.tables);
  return sql.print({ title, head, sections, places, model, ...(isFresh && { fresh: true }) });
}

function withChecksum(file: ExistingMigration): PlannedMigration {
  return { ...file, sha256: checksum(file.text) };
}
