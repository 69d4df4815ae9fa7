import type { CacheOf } from "../model/mesh.js";
import type { Link } from "./branch.js";
import { conditionText } from "./condition-text.js";
import { columnsFilledBy, memberFilling } from "./filling.js";
import { eventPart, type Flow, fieldPart, payloadOf, subjectOf } from "./flow.js";
import type { ColumnPart, FieldPart, Part } from "./part.js";

/** Where a part comes from, one hop back. */
export function originsOf(flow: Flow, part: Part): readonly Link[] {
  switch (part.kind) {
    case "event":
      return emitting(flow, part.event);
    case "field":
      return shown(flow, part);
    case "column":
      return filling(flow, part);
    case "table":
      return [...copied(flow, part), ...parents(flow, part)];
    case "service":
    case "database":
    case "entity":
    case "entity field":
    case "view":
    case "check":
    case "unique":
    case "index":
    case "resource":
    case "consumer":
    case "rule":
    case "hook":
    case "dead letters":
    case "own SQL":
      return [];
    default:
      return part satisfies never;
  }
}

/** The table whose rows imply the event, with the moment or the change; else the service whose code publishes it. */
function emitting(flow: Flow, name: string): readonly Link[] {
  const { emit, service } = flow.event(name);
  const { database } = flow.service(service);
  if (emit === undefined || database === undefined)
    return [{ how: "publishes", to: { kind: "service", service }, with: [] }];
  const to: Part = { kind: "table", database, table: emit.table };
  const conditions = [
    ...emit.when.map((held) => `where ${conditionText(held)}`),
    ...emit.unless.map((held) => `unless ${conditionText(held)}`),
  ];
  if (emit.at !== undefined) return [{ how: "at", to, with: [emit.at, ...conditions] }];
  const { softDelete } = flow.table(to);
  const softly = softDelete !== undefined && emit.on.includes("delete") ? [`which sets ${softDelete}`] : [];
  return [{ how: "emits", to, with: [emit.on.join(" or "), ...softly, ...conditions] }];
}

function shown(flow: Flow, { event: name, field: path }: FieldPart): readonly Link[] {
  const event = flow.event(name);
  const { database } = flow.service(event.service);
  const source = payloadOf(event).find((known) => known.path === path)?.field.source;
  if (event.emit === undefined || database === undefined) return [];
  switch (source?.kind) {
    case "column":
    case "old": {
      const to: ColumnPart = { kind: "column", database, table: event.emit.table, column: source.column };
      return [{ how: source.kind === "old" ? "shows old" : "shows", to, with: [] }];
    }
    case "referenced": {
      const to: ColumnPart = {
        kind: "column",
        database,
        table: source.table.name,
        column: source.column.name,
      };
      return [{ how: "shows referenced", to, with: [`${event.emit.table}.${source.by}`] }];
    }
    case "constant":
    case "object":
    case undefined:
      return [];
    default:
      return source satisfies never;
  }
}

/** Of a column of a copy the fields that fill it; else what it references. */
function filling(flow: Flow, at: ColumnPart): readonly Link[] {
  const { cache, columns } = flow.table(at);
  const { references } = columns.find(({ name }) => name === at.column) ?? {};
  if (references !== undefined) {
    const to: ColumnPart = { ...at, table: references.table, column: references.column };
    return [{ how: "references", to, with: [] }];
  }
  const column = columns.find(({ name }) => name === at.column);
  if (cache === undefined || column === undefined || column.local === true) return [];
  const hearers = flow
    .hearersOfEntity(cache.entity)
    .filter(({ service, consumer }) => service.database === at.database && consumer.cache === at.table);
  const told = hearers.flatMap((hearer) =>
    hearer.consumer.events
      .map(flow.event)
      .flatMap((event) =>
        event.payload
          .filter(({ name: field }) =>
            columnsFilledBy(flow, hearer, { event: event.name, field }).some(
              ({ column }) => column.column === at.column,
            ),
          )
          .map(({ name }): Link => ({ how: "fills", to: fieldPart(event, name), with: [] })),
      ),
  );
  return [...told, ...listed(flow, cache, memberFilling(column))];
}

/** The tables whose rows those of the table refer to, and what a deletion there does here. */
function parents(flow: Flow, { database, table }: Extract<Part, { kind: "table" }>): readonly Link[] {
  return flow.table({ database, table }).columns.flatMap(({ name, references }): readonly Link[] => {
    if (references === undefined) return [];
    const to: Part = { kind: "table", database, table: references.table };
    const deletions = flow.emittedFrom(to).filter(({ emit }) => emit?.on.includes("delete"));
    const soft = flow.table(to).softDelete !== undefined;
    return [
      {
        how: "refers to",
        to,
        with: [name, references.onDelete, ...(soft ? [] : deletions.map((event) => subjectOf(event)))],
      },
    ];
  });
}

/** The list of the owner's rows that snapshots are taken of; of a column where the rows have it. */
function listed(flow: Flow, { sync }: CacheOf, member?: string): readonly Link[] {
  if (sync === undefined) return [];
  const { service, path } = sync;
  const { http, database } = flow.service(service);
  const table = http?.resources.find((resource) => resource.path === path)?.table;
  const named = member === undefined ? [] : [member];
  if (table === undefined || database === undefined)
    return [{ how: "snapshot", to: { kind: "service", service }, with: [`GET ${path}`, ...named] }];
  const shown = flow.database(database).tables.find(({ name }) => name === table)?.columns;
  const isThere = shown?.some(
    (column) => column.private !== true && (column.shown ?? column.name) === member,
  );
  if (member !== undefined && isThere === false) return [];
  return [{ how: "snapshot", to: { kind: "resource", service, path }, with: [`GET ${path}`, ...named] }];
}

/** Of a copy: the events, and the list, that it is kept by. */
function copied(flow: Flow, { database, table }: Extract<Part, { kind: "table" }>): readonly Link[] {
  const { cache } = flow.table({ database, table });
  if (cache === undefined) return [];
  const told = flow
    .eventsOfEntity(cache.entity)
    .filter(({ change }) => change !== "none")
    .map((event) => ({
      how: event.change === "delete" ? ("removes copy" as const) : ("writes copy" as const),
      to: eventPart(event),
      with: [],
    }));
  return [...told, ...listed(flow, cache)];
}
