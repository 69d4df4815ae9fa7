import type { MeshFacts } from "@meshwright/simulator";
import type { Mesh } from "../../model/mesh.js";

/** By service: the tables with `backfill: hooks`. */
export function findBackfilled({ databases }: Mesh): MeshFacts["backfilled"] {
  return Object.fromEntries(
    databases.map(({ service, tables }) => [
      service,
      tables.flatMap(({ name, backfill }) => (backfill === "hooks" ? [name] : [])),
    ]),
  );
}
