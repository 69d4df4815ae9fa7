import { leavesOf } from "../model/field-leaves.js";
import type { Column, Event, Field, Mesh, Table } from "../model/mesh.js";

const known = new WeakMap<Mesh, ReadonlyMap<Table, readonly Event[]>>();

/** The events that rows of the table imply. Indexed once per mesh: it is asked for each of thousands of columns. */
export function emittedFrom(table: Table, mesh: Mesh): readonly Event[] {
  const byTable = known.get(mesh) ?? sortOut(mesh);
  known.set(mesh, byTable);
  return byTable.get(table) ?? [];
}

/** What events show of the column: of its own rows, as they are and were, and of rows that others reference. */
export function fieldsShowing(column: Column, table: Table, mesh: Mesh): readonly Field[] {
  const own = emittedFrom(table, mesh).flatMap(leavesOf);
  const byTable = referring(mesh);
  const owner = byTable.size === 0 ? undefined : mesh.databases.find(({ tables }) => tables.includes(table));
  const others = byTable.get(`${owner?.service} ${table.name}`) ?? [];
  return [
    ...own.filter(
      ({ source }) => (source?.kind === "column" || source?.kind === "old") && source.column === column.name,
    ),
    ...others.filter(({ source }) => source?.kind === "referenced" && source.column.name === column.name),
  ];
}

const knownReferring = new WeakMap<Mesh, ReadonlyMap<string, readonly Field[]>>();

function referring(mesh: Mesh): ReadonlyMap<string, readonly Field[]> {
  const found = knownReferring.get(mesh) ?? sortReferring(mesh);
  knownReferring.set(mesh, found);
  return found;
}

/** By service and table. */
function sortReferring({ events }: Mesh): ReadonlyMap<string, readonly Field[]> {
  const byTable = new Map<string, Field[]>();
  for (const event of events)
    for (const field of leavesOf(event)) {
      if (field.source?.kind !== "referenced") continue;
      const place = `${event.service} ${field.source.table.name}`;
      byTable.set(place, [...(byTable.get(place) ?? []), field]);
    }
  return byTable;
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
