import { type Program, touches } from "../../language/program.js";
import type { DatabaseSymbol, EventSymbol, ServiceSymbol, TableSymbol } from "../../language/symbols.js";
import type { About, Section } from "./parts.js";

type Key = object | Section | undefined;

/** The symbols and sections that rules on a part look at beside the part itself. */
export function looksAt(about: About, program: Program): readonly Key[] {
  switch (about.kind) {
    case "service":
      return behindService(about.service, program);
    case "database":
      return ["services", ...about.database.owners];
    case "table":
    case "column":
      return behindTable(about.table, about.database, program);
    case "event":
      return [...behindField(about.event, program), ...besideEvent(about.event, program)];
    case "field":
      return behindField(about.event, program);
    case "cascade": {
      const { on, service: name } = about.cascade.get;
      const service = program.services.get(name?.value ?? "");
      const entity = on && `${on.value.service}.${on.value.entity}`;
      const tables = service?.database?.tables.values() ?? [];
      return [
        ...(["services", "databases", "subjects"] as const),
        service,
        service?.database,
        ...tables,
        ...behindEntity(entity, program),
      ];
    }
    case "file":
    case "section":
    case "view":
    case "type":
      return [];
    default:
      return about satisfies never;
  }
}

function behindService(service: ServiceSymbol, program: Program): readonly Key[] {
  const called = (service.node?.get.calls?.entries ?? []).map(({ name }) => program.services.get(name.value));
  const entities = [...service.publishes, ...service.subscribes].flatMap(({ value }) =>
    program.entitiesOf(value.service).filter((entity) => touches(value, entity)),
  );
  return [
    ...(["services", "databases", "subjects", "cascades"] as const),
    service.database,
    ...called,
    ...entities.flatMap(({ entityName }) => behindEntity(entityName, program)),
  ];
}

function behindTable(table: TableSymbol, database: DatabaseSymbol, program: Program): readonly Key[] {
  const own = [...database.owners, ...referenced(table, database)];
  if (table.cacheOf === undefined) return own;
  const { text, value } = table.cacheOf;
  return [
    ...own,
    "services",
    "subjects",
    program.services.get(value.service),
    ...behindEntity(text, program),
  ];
}

function referenced({ columns }: TableSymbol, { tables }: DatabaseSymbol): readonly Key[] {
  return [...columns.values()].map(({ node }) => tables.get(node?.get.references?.value ?? ""));
}

function behindField(event: EventSymbol, program: Program): readonly Key[] {
  const { service, table } = event;
  const database = service?.database;
  return [
    ...(["services", "databases", "types"] as const),
    ...(program.node.get.types?.entries ?? []),
    service,
    database,
    table,
    ...(table === undefined || database === undefined ? [] : referenced(table, database)),
  ];
}

/** What other events of its entity are emitted from, and the subjects that a foreign one must differ from. */
function besideEvent({ entityName, service }: EventSymbol, program: Program): readonly Key[] {
  const tables = (program.entities.get(entityName)?.events ?? []).map(({ table }) => table);
  return service?.external === true ? [...tables, ...program.eventsOf(service.name)] : tables;
}

/** The events of the entity, and what they are emitted from. */
function behindEntity(name: string | undefined, program: Program): readonly Key[] {
  const { events = [] } = program.entities.get(name ?? "") ?? {};
  return events.flatMap((event) => [event, event.table, event.service, event.service?.database]);
}
