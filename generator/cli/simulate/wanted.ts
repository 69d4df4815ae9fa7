import type { MeshFacts } from "@meshwright/simulator";
import type { Mesh, Table } from "../../model/mesh.js";

/** By service, table and column: what `when` and `unless` of an event say that a row holds. */
export function findWanted(mesh: Mesh): MeshFacts["wanted"] {
  return Object.fromEntries(
    mesh.databases.map(({ service, tables }) => [
      service,
      Object.fromEntries(tables.map((table) => [table.name, wantedOf(table, service, mesh)])),
    ]),
  );
}

function wantedOf(table: Table, service: string, { events }: Mesh): Record<string, (string | null)[]> {
  const wanted: Record<string, (string | null)[]> = {};
  const conditions = events
    .filter((event) => event.service === service && event.emit?.table === table.name)
    .flatMap(({ emit }) => [...(emit?.when ?? []), ...(emit?.unless ?? [])]);
  for (const { column, values, isNull } of conditions) {
    const said = isNull === true ? [null] : values.map(String);
    if (said.length > 0) wanted[column] = [...new Set([...(wanted[column] ?? []), ...said])];
  }
  return wanted;
}
