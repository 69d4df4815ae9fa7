import type { MeshFacts } from "@meshwright/simulator";
import { findUnmadeEvents } from "../../check/lost-events.js";
import type { Mesh } from "../../model/mesh.js";

/** By service: the events that no snapshot can make from a row, so that hooks hear of them from the events themselves. */
export function findUnmade(mesh: Mesh): MeshFacts["unmade"] {
  return Object.fromEntries(
    mesh.services.map((service) => [
      service.name,
      findUnmadeEvents(service, mesh).map(({ event }) => `${event.service}.${event.entity}.${event.action}`),
    ]),
  );
}
