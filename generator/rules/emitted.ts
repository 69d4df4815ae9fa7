import { leavesOf } from "../model/field-leaves.js";
import type { Column, Event, Field, Mesh, Table } from "../model/mesh.js";

interface OwnedTable {
  readonly owner: string;
  readonly events: readonly Event[];
}

/** Once per mesh: both are asked for each of thousands of columns. */
const known = new WeakMap<Mesh, ReadonlyMap<Table, OwnedTable>>();

/** The events that rows of the table imply. */
export function emittedFrom(table: Table, mesh: Mesh): readonly Event[] {
  return findOwned(table, mesh)?.events ?? [];
}

/** The service whose database has it. Tables of two databases may have one name. */
export function ownerOf(table: Table, mesh: Mesh): string | undefined {
  return findOwned(table, mesh)?.owner;
}

function findOwned(table: Table, mesh: Mesh): OwnedTable | undefined {
  const byTable = known.get(mesh) ?? sortOut(mesh);
  known.set(mesh, byTable);
  return byTable.get(table);
}

/** What events show of the column: of its own rows, as they are and were, and of rows that others reference. */
export function fieldsShowing(column: Column, table: Table, mesh: Mesh): readonly Field[] {
  const own = emittedFrom(table, mesh).flatMap(leavesOf);
  const byTable = referring(mesh);
  const others = byTable.get(`${ownerOf(table, mesh)} ${table.name}`) ?? [];
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

function sortOut(mesh: Mesh): ReadonlyMap<Table, OwnedTable> {
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
      tables.map(
        (table) => [table, { owner: service, events: events.get(`${service} ${table.name}`) ?? [] }] as const,
      ),
    ),
  );
}
