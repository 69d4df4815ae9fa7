import type { Branch, Tree } from "./branch.js";
import type { Flow } from "./flow.js";
import type { Part } from "./part.js";

/** The services that a tree speaks of, its own among them, by name. */
export function servicesIn(flow: Flow, { of, next }: Tree): readonly string[] {
  const found = new Set(servicesOf(flow, of));
  const visit = (branch: Branch): void => {
    for (const service of servicesOf(flow, branch.to)) found.add(service);
    branch.next.forEach(visit);
  };
  next.forEach(visit);
  return [...found].sort();
}

function servicesOf(flow: Flow, part: Part): readonly string[] {
  switch (part.kind) {
    case "service":
    case "resource":
    case "consumer":
    case "hook":
    case "dead letters":
      return [part.service];
    case "rule":
      return [part.service, ...part.on.split(".").slice(0, 1)];
    case "entity":
    case "entity field":
      return part.entity.split(".").slice(0, 1);
    case "event":
    case "field":
      return [flow.event(part.event).service];
    case "database":
    case "table":
    case "view":
    case "column":
    case "check":
    case "unique":
    case "index":
    case "own SQL":
      return flow.ownersOf(part.database).map(({ name }) => name);
    default:
      return part satisfies never;
  }
}
