import { byName } from "../../collections/compare-names.js";
import type { Program } from "../../language/program.js";
import type { Mesh } from "../mesh.js";
import { compareEvents } from "../order.js";
import { buildCalls } from "./build-call.js";
import { buildDatabase } from "./build-database.js";
import { buildEvent } from "./build-event.js";
import { schemaOfFields } from "./build-field.js";
import { buildService } from "./build-service.js";
import { buildStreams } from "./build-stream.js";
import { buildTypes } from "./build-type.js";
import { indexEvents } from "./event-index.js";
import { required } from "./invariant.js";
import { wideColumns } from "./wide.js";

/** The mesh that a program without errors means; anything missing in it is a bug of the rules, and throws. */
export function buildMesh(program: Program): Mesh {
  const types = buildTypes(program.types);
  const definitions = new Map(types.map(({ name, fields }) => [name, schemaOfFields(fields)]));
  const events = program.events
    .map((event) => buildEvent(event, (name) => definitions.get(name)))
    .sort(compareEvents);
  const index = indexEvents(events);
  const parts = { program, wide: wideColumns(program) };
  const calls = buildCalls(program);
  return {
    name: required(program.node.get.mesh, "the name of the mesh").value,
    description: program.node.get.description?.value,
    naming: program.node.get.naming?.value ?? "columns",
    services: [...program.services.values()]
      .map((service) => buildService(service, { events: index, calls, program }))
      .sort(byName),
    databases: [...program.databases.values()].map((database) => buildDatabase(database, parts)).sort(byName),
    events,
    streams: buildStreams(program, index),
    calls,
    types: [...types].sort(byName),
  };
}
