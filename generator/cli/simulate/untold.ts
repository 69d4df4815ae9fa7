import type { MeshFacts, Untold } from "@meshwright/simulator";
import type { Event, Mesh, Table } from "../../model/mesh.js";

/**
 * What copies do not learn from events, by service and copy: of a column some updates are in no event that carries it, or the owner
 * publishes no deletions. `mesh generate` warns of both.
 */
export function findUntold(mesh: Mesh): MeshFacts["untold"] {
  return Object.fromEntries(
    mesh.databases.map(({ service, tables }) => [
      service,
      Object.fromEntries(tables.flatMap((table) => untoldOf(table, mesh))),
    ]),
  );
}

function untoldOf(copy: Table, { events }: Mesh): readonly (readonly [string, Untold])[] {
  const emitted = events.filter(
    ({ service, entity, emit }) => emit !== undefined && `${service}.${entity}` === copy.cache?.entity,
  );
  if (emitted.length === 0) return [];
  const columns = copy.columns.filter(({ key }) => !key).map(({ name }) => name);
  const deletions = !emitted.some(({ emit }) => emit?.on.includes("delete"));
  return [
    [
      copy.name,
      { columns: columns.filter((name) => !emitted.some((event) => tells(event, name))), deletions },
    ],
  ];
}

/** Each update that changes the column is this event. */
function tells({ emit, payload }: Event, column: string): boolean {
  if (emit === undefined || !emit.on.includes("update") || emit.when.length > 0) return false;
  return payload.some(({ name }) => name === column) && (emit.of.length === 0 || emit.of.includes(column));
}
