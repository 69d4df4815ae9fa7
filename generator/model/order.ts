import { compareNames } from "../collections/compare-names.js";
import type { Event } from "./mesh.js";

const rankOfChange: Readonly<Record<Event["change"], number>> = { create: 0, update: 1, none: 2, delete: 3 };

/** An entity's events in the order of its life. */
export function compareEvents(a: Event, b: Event): number {
  return (
    compareNames(a.service, b.service) ||
    compareNames(a.entity, b.entity) ||
    rankOfChange[a.change] - rankOfChange[b.change] ||
    compareNames(a.action, b.action)
  );
}
