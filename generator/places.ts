import type { Part } from "./flow/part.js";
import { targetOf } from "./language/cascade-target.js";
import type { NamedNode } from "./language/node.js";
import { type Program, touches } from "./language/program.js";
import type { EventSymbol, FieldSymbol, TableSymbol } from "./language/symbols.js";
import type { Span } from "./source/text.js";

/** Where a part of the mesh is written in its file; undefined for what nobody writes there. */
export type FindPlace = (part: Part) => Span | undefined;

export function findPlaces(program: Program): FindPlace {
  const events = new Map(program.events.map((event) => [event.name?.value, event]));
  const tableOf = (database: string, table: string) => program.databases.get(database)?.tables.get(table);
  return (part) => {
    switch (part.kind) {
      case "service":
        return program.services.get(part.service)?.span;
      case "entity":
        return program.entities.get(part.entity)?.events[0]?.subject.span;
      case "event":
        return events.get(part.event)?.subject.span;
      case "field":
        return fieldSpan(events.get(part.event), part.field);
      case "entity field":
        return (program.entities.get(part.entity)?.events ?? [])
          .map((event) => fieldSpan(event, part.field))
          .find((span) => span !== undefined);
      case "database":
        return program.databases.get(part.database)?.span;
      case "table":
        return tableOf(part.database, part.table)?.span;
      case "view":
        return program.databases.get(part.database)?.views.get(part.view)?.span;
      case "column":
        return tableOf(part.database, part.table)?.columns.get(part.column)?.span;
      case "check":
        return named(tableOf(part.database, part.table)?.node?.get.checks?.entries, part.check);
      case "unique":
      case "index":
        return setSpan(tableOf(part.database, part.table), part);
      case "resource":
        return named(program.services.get(part.service)?.node?.get.http?.get.resources?.entries, part.path);
      case "consumer":
        return subscriptionSpan(program, part);
      case "rule":
        return ruleSpan(program, part);
      case "hook":
        return program.cascades.find(
          ({ get }) => get.service?.value === part.service && get.before?.value === part.hook,
        )?.get.before?.span;
      case "own SQL":
        return program.databases.get(part.database)?.node?.get.sql?.span;
      case "dead letters":
        return undefined;
      default:
        return part satisfies never;
    }
  };
}

function fieldSpan(event: EventSymbol | undefined, path: string): Span | undefined {
  let fields = [...(event?.fields.values() ?? [])];
  let found: FieldSymbol | undefined;
  for (const name of path.split(".")) {
    found = fields.find((field) => field.name === name);
    fields = found?.source?.kind === "object" ? [...found.source.fields] : [];
  }
  return found?.span;
}

function named(entries: readonly NamedNode<string, unknown>[] | undefined, name: string): Span | undefined {
  return entries?.find((entry) => entry.name.value === name)?.name.span;
}

function setSpan(
  table: TableSymbol | undefined,
  { kind, columns }: Extract<Part, { kind: "unique" | "index" }>,
): Span | undefined {
  const spans = table?.node?.keySpans;
  return table?.columns.get(columns)?.span ?? (kind === "unique" ? spans?.unique : spans?.indexes);
}

function subscriptionSpan(
  program: Program,
  { service, entity, name }: Extract<Part, { kind: "consumer" }>,
): Span | undefined {
  const heard = program.entities.get(entity);
  return program.services
    .get(service)
    ?.subscriptions.find(
      (subscription) =>
        subscription.name?.value === name &&
        heard !== undefined &&
        touches(subscription.pattern.value, heard),
    )?.pattern.span;
}

function ruleSpan(program: Program, part: Extract<Part, { kind: "rule" }>): Span | undefined {
  return program.cascadesOf(part.service, part.on).find((rule) => {
    const target = targetOf(rule);
    const { table, column } = target?.column.value ?? {};
    return target?.action === part.action && table === part.table && column === part.column;
  })?.span;
}
