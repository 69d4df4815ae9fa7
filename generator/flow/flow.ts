import { groupBy } from "../collections/group-by.js";
import type { Column, Database, Event, Field, Mesh, Service, Subscription, Table } from "../model/mesh.js";
import type { HookReads } from "./hook-reads.js";
import type { ColumnPart, FieldPart, Part, TablePart } from "./part.js";

/** The mesh by what follows from what: indexed once, asked often. Pure; a name that leads nowhere is a fault of the caller, and throws. */
export interface Flow {
  readonly mesh: Mesh;
  /** What hooks read of what they are given; undefined where that was not looked at. */
  readonly hooks: HookReads | undefined;
  event(name: string): Event;
  service(name: string): Service;
  database(name: string): Database;
  /** Of one database, as its name and that of the table say. */
  table(at: Pick<TablePart, "database" | "table">): Table;
  /** The services on a database. */
  ownersOf(database: string): readonly Service[];
  /** The events that rows of the table imply, by a change or at a moment. */
  emittedFrom(at: Pick<TablePart, "database" | "table">): readonly Event[];
  /** Who hears an event. */
  hearersOf(event: string): readonly Subscription[];
  /** Who hears any event of an entity, `auth.user`. */
  hearersOfEntity(entity: string): readonly Subscription[];
  /** `auth.user` */
  eventsOfEntity(entity: string): readonly Event[];
  /** The fields that show the column of the table, of its own rows or of rows that reference it, or that follow it to another row. */
  fieldsShowing(at: ColumnPart): readonly Shown[];
  /** The columns of the same database that reference the table. */
  referring(at: Pick<TablePart, "database" | "table">): readonly Referring[];
}

export interface Referring {
  readonly table: Table;
  readonly column: Column;
}

/** A field of an event, with those within objects; the path leads to it from the body. */
export interface PayloadField {
  readonly path: string;
  readonly field: Field;
}

export interface Shown extends PayloadField {
  readonly event: Event;
}

export function openFlow(mesh: Mesh, hooks?: HookReads): Flow {
  const events = new Map(mesh.events.map((event) => [event.name, event]));
  const services = new Map(mesh.services.map((service) => [service.name, service]));
  const databases = new Map(mesh.databases.map((database) => [database.name, database]));
  const tables = new Map(
    mesh.databases.flatMap((database) =>
      database.tables.map((table) => [`${database.name} ${table.name}`, table] as const),
    ),
  );
  const hearers = mesh.services.flatMap((service) =>
    service.consumers.map((consumer) => ({ service, consumer })),
  );
  const byDatabase = groupBy(mesh.services, ({ database }) => database);
  const emitted = groupBy(mesh.events, ({ service, emit }) =>
    emit === undefined ? undefined : `${services.get(service)?.database} ${emit.table}`,
  );
  const heard = new Map<string, Subscription[]>();
  for (const hearer of hearers)
    for (const event of hearer.consumer.events) heard.set(event, [...(heard.get(event) ?? []), hearer]);
  const byEntity = groupBy(hearers, ({ consumer }) => consumer.entity);
  const ofEntity = groupBy(mesh.events, entityOf);
  const showing = groupBy(
    mesh.events.flatMap(shownBy),
    ({ column, event }) => `${services.get(event.service)?.database} ${column}`,
  );
  const referring = groupBy(mesh.databases.flatMap(referencesIn), ({ parent }) => parent);
  return {
    mesh,
    hooks,
    event: (name) => found(events, name),
    service: (name) => found(services, name),
    database: (name) => found(databases, name),
    table: ({ database, table }) => found(tables, `${database} ${table}`),
    ownersOf: (database) => byDatabase.get(database) ?? [],
    emittedFrom: ({ database, table }) => emitted.get(`${database} ${table}`) ?? [],
    hearersOf: (event) => heard.get(event) ?? [],
    hearersOfEntity: (entity) => byEntity.get(entity) ?? [],
    eventsOfEntity: (entity) => ofEntity.get(entity) ?? [],
    fieldsShowing: ({ database, table, column }) => showing.get(`${database} ${table} ${column}`) ?? [],
    referring: ({ database, table }) => referring.get(`${database} ${table}`) ?? [],
  };
}

function found<T>(known: ReadonlyMap<string, T>, name: string): T {
  const part = known.get(name);
  if (part === undefined) throw new Error(`the mesh has no "${name}"`);
  return part;
}

/** `auth.user` */
export function entityOf({ service, entity }: Pick<Event, "service" | "entity">): string {
  return `${service}.${entity}`;
}

/** `auth.user.updated`: how one asks for it. */
export function subjectOf(event: Pick<Event, "service" | "entity" | "action">): string {
  return `${entityOf(event)}.${event.action}`;
}

export function eventPart(event: Event): Extract<Part, { kind: "event" }> {
  return { kind: "event", event: event.name, subject: subjectOf(event) };
}

export function fieldPart(event: Event, field: string): FieldPart {
  return { kind: "field", event: event.name, subject: subjectOf(event), field };
}

export function consumerPart({ service, consumer }: Subscription): Extract<Part, { kind: "consumer" }> {
  const { durable, entity, name } = consumer;
  return { kind: "consumer", service: service.name, durable, entity, name };
}

/** The fields of an event, with those within objects behind the objects. */
export function payloadOf({ payload }: Pick<Event, "payload">, within = ""): readonly PayloadField[] {
  return payload.flatMap((field) => {
    const path = `${within}${field.name}`;
    const inner =
      field.source?.kind === "object" ? payloadOf({ payload: field.source.fields }, `${path}.`) : [];
    return [{ path, field }, ...inner];
  });
}

interface ShownColumn extends Shown {
  /** The table and the column, within the database of the event. */
  readonly column: string;
}

function shownBy(event: Event): readonly ShownColumn[] {
  return payloadOf(event).flatMap(({ path, field }) =>
    columnsBehind(event, field).map((column) => ({ event, path, field, column })),
  );
}

/** What a field shows; of a row that is referenced, also the column that leads there. */
function columnsBehind({ emit }: Event, { source }: Field): readonly string[] {
  if (emit === undefined) return [];
  switch (source?.kind) {
    case "column":
    case "old":
      return [`${emit.table} ${source.column}`];
    case "referenced":
      return [`${source.table.name} ${source.column.name}`, `${emit.table} ${source.by}`];
    case "constant":
    case "object":
    case undefined:
      return [];
    default:
      return source satisfies never;
  }
}

function referencesIn({ name, tables }: Database): readonly (Referring & { readonly parent: string })[] {
  return tables.flatMap((table) =>
    table.columns.flatMap((column) =>
      column.references === undefined
        ? []
        : [{ parent: `${name} ${column.references.table}`, table, column }],
    ),
  );
}
