import { changes } from "@meshwright/runtime/vocabulary";
import { compareNames } from "../collections/compare-names.js";
import type { Event } from "./mesh.js";

/** By service and entity, then by change: created, updated, others, deleted. */
export function compareEvents(a: Event, b: Event): number {
  return (
    compareNames(a.service, b.service) ||
    compareNames(a.entity, b.entity) ||
    changes[a.change].order - changes[b.change].order ||
    compareNames(a.action, b.action)
  );
}
