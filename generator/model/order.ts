import type { Event } from "./mesh.js";

/** By code unit: the same on every machine, whatever its locale. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return compareNames(a.name, b.name);
}

const rankOfChange = { create: 0, update: 1, none: 2, delete: 3 } as const;

/** An entity's events in the order of its life. */
export function compareEvents(a: Event, b: Event): number {
  return (
    compareNames(a.service, b.service) ||
    compareNames(a.entity, b.entity) ||
    rankOfChange[a.change] - rankOfChange[b.change] ||
    compareNames(a.action, b.action)
  );
}
