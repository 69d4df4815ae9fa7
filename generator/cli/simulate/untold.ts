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
  const stale = copy.columns.filter(
    ({ name, key, filledBy }) => !key && !emitted.some((event) => tells(event, filledBy?.field ?? name)),
  );
  const deletions = !emitted.some(({ emit }) => emit?.on.includes("delete"));
  return [[copy.name, { columns: stale.map(({ name }) => name), deletions }]];
}

/** Each update that changes the column behind the field is this event. */
function tells({ emit, payload }: Event, name: string): boolean {
  if (emit === undefined || !emit.on.includes("update") || emit.when.length > 0) return false;
  const source = payload.find((field) => field.name === name)?.source;
  return source?.kind === "column" && (emit.of.length === 0 || emit.of.includes(source.column));
}
