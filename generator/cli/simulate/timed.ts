import type { MeshFacts } from "@meshwright/simulator";
import type { Mesh } from "../../model/mesh.js";

/** The events at a time. */
export function findTimedEvents({ events }: Mesh): MeshFacts["timed"] {
  return events.flatMap(({ service, entity, action, emit }) => {
    if (emit?.at === undefined) return [];
    const { table, at, when, unless, id } = emit;
    return [{ service, table, event: `${service}.${entity}.${action}`, at, when, unless, id }];
  });
}
