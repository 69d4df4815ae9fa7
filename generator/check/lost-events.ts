import type { Consumer, Event, Field, Mesh, Service, Table } from "../model/mesh.js";

/*
 * Hooks of events that were lost. A snapshot finds what was missed and makes the event from the owner's row; where a field that must be
 * there shows what no row has, it cannot.
 */

export interface UnmadeEvent {
  readonly event: Event;
  /** A field that must be there, and what it shows. */
  readonly field: Field;
  readonly shows: string;
}

/** Of the events that a service hears with snapshots, those whose hooks are not called where they were lost. */
export function findUnmadeEvents(service: Service, mesh: Mesh): readonly UnmadeEvent[] {
  const heard = new Set(
    service.consumers.filter((each) => hasSnapshots(each, service, mesh)).flatMap(({ events }) => events),
  );
  return mesh.events.flatMap((event): readonly UnmadeEvent[] => {
    if (!heard.has(event.name) || (event.change !== "create" && event.change !== "update")) return [];
    for (const field of event.payload) {
      const shows = unmade(field);
      if (shows !== undefined) return [{ event, field, shows }];
    }
    return [];
  });
}

function hasSnapshots({ cache }: Consumer, { database }: Service, { databases }: Mesh): boolean {
  const tables: readonly Table[] = databases.find(({ name }) => name === database)?.tables ?? [];
  return tables.some((table) => table.name === cache && table.cache?.sync !== undefined);
}

/** What a field shows that the owner's row has not; undefined where the row has it, or the event can do without it. */
function unmade({ source, optional }: Field): string | undefined {
  switch (source?.kind) {
    case "old":
      return optional ? undefined : `what "${source.column}" was before`;
    case "referenced":
      return optional ? undefined : `"${source.column.name}" of the row that "${source.by}" references`;
    case "object":
      for (const field of source.fields) {
        const shows = unmade(field);
        if (shows !== undefined) return shows;
      }
      return undefined;
    case "column":
    case "constant":
    case undefined:
      return undefined;
    default:
      return source satisfies never;
  }
}
