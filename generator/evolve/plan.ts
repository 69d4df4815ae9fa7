import { createHash } from "node:crypto";
import type { Database, Mesh, Service } from "../model/mesh.js";
import type { Templates } from "../templates.js";
import { compareDatabases, type DatabaseState } from "./compare-database.js";
import { emitReactions } from "./emission/emit.js";
import { guardReactions } from "./emission/guard.js";
import { findHistory } from "./history.js";
import { identifier } from "./names.js";
import { printMigration } from "./print-migration.js";
import { type MigrationRefusal, pathTo } from "./refusal.js";
import { openSqlRender, type Render } from "./render.js";
import { type CheckSchema, databaseSchema } from "./schema.js";
import { titleOf } from "./title.js";

export interface PlanInput {
  /** The model of the last generation; undefined when there was none. */
  readonly previous: Mesh | undefined;
  readonly next: Mesh;
  /** The migrations that the database of each service has, in order, whichever folder they are from. */
  readonly existing: Readonly<Record<string, readonly ExistingMigration[]>>;
  readonly allowDestructive: boolean;
  readonly templates: Templates;
}

export interface ExistingMigration {
  readonly name: string;
  readonly text: string;
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
  const render = openSqlRender(input.templates);
  const refusals: MigrationRefusal[] = [];
  const files = input.next.services.flatMap((service) => {
    const database = ownDatabase(input.next, service);
    if (database === undefined) return [];
    const planned = planService(service, database, { ...input, render, refusals });
    return [[service.name, planned.map(withChecksum)] as const];
  });
  return { files: Object.fromEntries(files), refusals };
}

function ownDatabase(mesh: Mesh, service: Service): Database | undefined {
  return service.external ? undefined : mesh.databases.find(({ name }) => name === service.database);
}

interface ServiceContext extends PlanInput {
  readonly render: Render;
  readonly refusals: MigrationRefusal[];
}

function planService(
  service: Service,
  database: Database,
  context: ServiceContext,
): readonly ExistingMigration[] {
  const { render } = context;
  const existing = context.existing[service.name] ?? [];
  const next = databaseState(context.next, database, render);
  const initial = initialMigration(service, next, render);
  if (existing.length === 0) return [initial];
  const previous = previousState(service, existing, context);
  if (previous === undefined) {
    if (existing.length === 1 && existing[0]?.text === initial.text) return existing;
    context.refusals.push(lostModel(service));
    return existing;
  }
  const found: MigrationRefusal[] = [];
  const steps = compareDatabases(previous, next, ({ at, ...refusal }) =>
    found.push({ ...refusal, service: service.name, path: pathTo(database.name, at) }),
  );
  const refusals = found.filter((refusal) => refusal.impossible === true || !context.allowDestructive);
  context.refusals.push(...refusals);
  if (refusals.length > 0 || steps.length === 0) return existing;
  const { slug, text } = titleOf(steps);
  const name = `${String(existing.length + 1).padStart(4, "0")}_${slug}.sql`;
  return [...existing, { name, text: printMigration(`${service.name}: ${text}.`, steps, render) }];
}

function previousState(
  service: Service,
  existing: readonly ExistingMigration[],
  { previous, next, render }: ServiceContext,
): DatabaseState | undefined {
  const history = findHistory(previous, next, service);
  return previous === undefined || history === undefined
    ? undefined
    : asWritten(databaseState(previous, history, render), existing);
}

/**
 * A newer generator may print the function of an unchanged model otherwise, and demand more of a column. What no
 * file says yet has no database: it counts as changed, and reaches them all in a migration of its own.
 */
function asWritten(
  { schema, reactions }: DatabaseState,
  existing: readonly ExistingMigration[],
): DatabaseState {
  const files = existing.map(({ text }) => text.replaceAll("\r\n", "\n"));
  const actual = <T extends { readonly text: string }>(item: T): T =>
    files.some((file) => file.includes(item.text)) ? item : { ...item, text: "" };
  // By its name, which a renaming of its column says too; `one_of` was there from the beginning, and unnamed.
  const isThere = ({ name, values }: CheckSchema) =>
    values !== undefined ||
    files.some((file) =>
      [`CONSTRAINT ${identifier(name)} CHECK`, `TO ${identifier(name)};`].some((text) => file.includes(text)),
    );
  const tables = schema.tables.map((table) => ({ ...table, checks: table.checks.filter(isThere) }));
  return {
    schema: { tables },
    reactions: { routines: reactions.routines.map(actual), triggers: reactions.triggers.map(actual) },
  };
}

function databaseState(mesh: Mesh, database: Database, render: Render): DatabaseState {
  const reactions = database.tables.flatMap((table) => [
    emitReactions(mesh, database.service, table, render),
    guardReactions(mesh, database.service, table, render),
  ]);
  return {
    schema: databaseSchema(mesh, database),
    reactions: {
      routines: reactions.flatMap((part) => part.routines),
      triggers: reactions.flatMap((part) => part.triggers),
    },
  };
}

function initialMigration(service: Service, next: DatabaseState, render: Render): ExistingMigration {
  // Nothing is there yet, so nothing can be refused.
  const steps = compareDatabases(undefined, next, () => undefined);
  const tables = next.schema.tables.map((table) => table.name).join(", ");
  const title = `${service.name}: ${tables}.`;
  return { name: "0001_initial.sql", text: printMigration(title, steps, render) };
}

function lostModel(service: Service): MigrationRefusal {
  return {
    code: "lost-model",
    service: service.name,
    path: ["services", service.name],
    message: `service "${service.name}" has migrations, but the model they lead to is not known`,
    hint: "restore mesh.lock.json from version control; if no database has had them, delete its migrations folder",
    impossible: true,
  };
}

function withChecksum(file: ExistingMigration): PlannedMigration {
  return { ...file, sha256: createHash("sha256").update(file.text).digest("hex") };
}
