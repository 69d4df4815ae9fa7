import type { Branch, Link, Tree } from "./branch.js";
import { usesOfColumn } from "./column-uses.js";
import { heardBy } from "./event-effects.js";
import { usesOfField } from "./field-uses.js";
import { eventPart, type Flow, fieldPart, payloadOf } from "./flow.js";
import { type Growth, grow, leaf } from "./grow.js";
import { originsOf } from "./origins.js";
import { keyOf, type Part } from "./part.js";
import { resourcesOf, usesOfResource, usesOfTable } from "./table-uses.js";

/** Whom a part of the mesh concerns: everything that reads it, is filled by it or follows from it, hop by hop. Each part is told of once. */
export function impactOf(flow: Flow, part: Part): Tree {
  const growth: Growth = { flow, follow, tellsFailures: false, told: new Map(), path: [keyOf(part)] };
  return { of: part, from: originsOf(flow, part), next: follow(growth, part) };
}

/** One hop, and all that come after it. */
export function follow(growth: Growth, part: Part): readonly Branch[] {
  const { flow } = growth;
  switch (part.kind) {
    case "service":
      return usesOfService(growth, part.service);
    case "entity":
      return flow
        .eventsOfEntity(part.entity)
        .map((event) => grow(growth, { how: "publishes", to: eventPart(event), with: [] }));
    case "event":
      return heardBy(growth, flow.event(part.event));
    case "field":
      return usesOfField(growth, part);
    case "entity field":
      return fieldsOf(flow, part).map((link) => grow(growth, link));
    case "table":
      return usesOfTable(growth, part);
    case "column":
      return usesOfColumn(growth, part);
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

/** What others have of a service: its events, and what they call. */
function usesOfService(growth: Growth, name: string): readonly Branch[] {
  const { flow } = growth;
  const events = flow.service(name).events.map(flow.event);
  const calls = flow.mesh.calls
    .filter(({ callee }) => callee === name)
    .map(({ caller, grants }) =>
      leaf({
        how: "calls",
        to: { kind: "service", service: caller },
        with: grants.map(({ path, verbs }) => `${verbs.join(", ").toUpperCase()} ${path}`),
      }),
    );
  return [
    ...events.map((event) => grow(growth, { how: "publishes", to: eventPart(event), with: [] })),
    ...calls,
  ];
}
