import type { Event, Mesh, Table } from "../model/mesh.js";

const known = new WeakMap<Mesh, ReadonlyMap<Table, readonly Event[]>>();

/** The events that rows of the table imply. Indexed once per mesh: it is asked for each of thousands of columns. */
export function emittedFrom(table: Table, mesh: Mesh): readonly Event[] {
  const byTable = known.get(mesh) ?? sortOut(mesh);
  known.set(mesh, byTable);
  return byTable.get(table) ?? [];
}

function sortOut(mesh: Mesh): ReadonlyMap<Table, readonly Event[]> {
  const events = new Map<string, Event[]>();
  for (const event of mesh.events) {
    if (event.emit === undefined) continue;
    const place = `${event.service} ${event.emit.table}`;
    const of = events.get(place);
    if (of === undefined) events.set(place, [event]);
    else of.push(event);
  }
  return new Map(
    mesh.databases.flatMap(({ service, tables }) =>
      tables.map((table) => [table, events.get(`${service} ${table.name}`) ?? []] as const),
    ),
  );
}
