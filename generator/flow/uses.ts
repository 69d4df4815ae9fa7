import type { Branch, Link, Tree } from "./branch.js";
import { usesOfColumn } from "./column-uses.js";
import { heardBy } from "./event-effects.js";
import { usesOfField } from "./field-uses.js";
import { type Flow, fieldPart, payloadOf } from "./flow.js";
import { grow, leaf, type TreeContext } from "./grow.js";
import { originsOf } from "./origins.js";
import { keyOf, type Part } from "./part.js";
import { besideDeletion } from "./removal.js";
import { growPublished, usesOfService } from "./service-uses.js";
import { partsOfDatabase, resourcesOf, usesOfResource, usesOfTable } from "./table-uses.js";

/** Whom a part of the mesh concerns: everything that reads it, is filled by it or follows from it, hop by hop. Each part is told of once. */
export function impactOf(flow: Flow, part: Part): Tree {
  const context: TreeContext = { flow, follow, tellsFailures: false, told: new Map(), path: [keyOf(part)] };
  const beside = part.kind === "event" ? besideDeletion(context, flow.event(part.event)) : [];
  return { of: part, from: originsOf(flow, part), next: [...beside, ...follow(context, part)] };
}

/** One hop, and all that come after it. */
export function follow(context: TreeContext, part: Part): readonly Branch[] {
  const { flow } = context;
  switch (part.kind) {
    case "service":
      return usesOfService(context, part.service);
    case "database":
      return partsOfDatabase(flow, part.database);
    case "entity":
      return flow.eventsOfEntity(part.entity).map((event) => growPublished(context, event));
    case "event":
      return heardBy(context, flow.event(part.event));
    case "field":
      return usesOfField(context, part);
    case "entity field":
      return fieldsOf(flow, part).map((link) => grow(context, link));
    case "table":
      return usesOfTable(context, part);
    case "column":
      return usesOfColumn(context, part);
    case "view":
      return resourcesOf(flow, { database: part.database, table: part.view }).map(leaf);
    case "resource":
      return usesOfResource(flow, part).map(leaf);
    case "check":
    case "unique":
    case "index":
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

function fieldsOf(flow: Flow, { entity, field }: Extract<Part, { kind: "entity field" }>): readonly Link[] {
  return flow
    .eventsOfEntity(entity)
    .filter((event) => payloadOf(event).some(({ path }) => path === field))
    .map((event) => ({ how: "carries", to: fieldPart(event, field), with: [] }));
}
