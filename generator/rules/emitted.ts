import { groupBy } from "../collections/group-by.js";
import { onceFor } from "../collections/once.js";
import { leavesOf } from "../model/field-leaves.js";
import type { Column, Event, Field, Mesh, Table } from "../model/mesh.js";

interface OwnedTable {
  readonly owner: string;
  readonly events: readonly Event[];
}

/** The events that rows of the table imply. */
export function emittedFrom(table: Table, mesh: Mesh): readonly Event[] {
  return ownedTables(mesh).get(table)?.events ?? [];
}

/** The service whose database has it. Tables of two databases may have one name. */
export function ownerOf(table: Table, mesh: Mesh): string | undefined {
  return ownedTables(mesh).get(table)?.owner;
}

/** What events show of the column: of its own rows, as they are and were, and of rows that others reference. */
export function fieldsShowing(column: Column, table: Table, mesh: Mesh): readonly Field[] {
  const own = emittedFrom(table, mesh).flatMap(leavesOf);
  const others = referring(mesh).get(`${ownerOf(table, mesh)} ${table.name}`) ?? [];
  return [
    ...own.filter(
      ({ source }) => (source?.kind === "column" || source?.kind === "old") && source.column === column.name,
    ),
    ...others.filter(({ source }) => source?.kind === "referenced" && source.column.name === column.name),
  ];
}

/** Fields that show a row which another one references, by service and table. */
const referring = onceFor(({ events }: Mesh): ReadonlyMap<string, readonly Field[]> => {
  const shown = events.flatMap((event) =>
    leavesOf(event).flatMap((field) =>
      field.source?.kind === "referenced"
        ? [{ field, place: `${event.service} ${field.source.table.name}` }]
        : [],
    ),
  );
  const byPlace = groupBy(shown, ({ place }) => place);
  return new Map([...byPlace].map(([place, all]) => [place, all.map(({ field }) => field)]));
});

const ownedTables = onceFor((mesh: Mesh): ReadonlyMap<Table, OwnedTable> => {
  const implied = mesh.events.filter(({ emit }) => emit !== undefined);
  const events = groupBy(implied, ({ service, emit }) => `${service} ${emit?.table}`);
  return new Map(
    mesh.databases.flatMap(({ service, tables }) =>
      tables.map(
        (table) => [table, { owner: service, events: events.get(`${service} ${table.name}`) ?? [] }] as const,
      ),
    ),
  );
});
