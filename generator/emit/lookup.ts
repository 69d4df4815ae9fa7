import type { Database, Event, Mesh, Service, Stream, Subscription, Table, View } from "../model/mesh.js";

/** The mesh by name. A name that leads nowhere is a fault of the compiler, not of mesh.yaml: it throws. */
export interface Lookup {
  readonly mesh: Mesh;
  event(name: string): Event;
  service(name: string): Service;
  stream(name: string): Stream;
  /** The service's database; undefined for a service without one. */
  database(service: Service): Database | undefined;
  tables(service: Service): readonly Table[];
  table(service: Service, name: string): Table;
  views(service: Service): readonly View[];
  /** What a resource serves. */
  tableOrView(service: Service, name: string): Table | View;
  /** The service's own events, in canonical order. */
  events(service: Service): readonly Event[];
  readonly subscriptions: readonly Subscription[];
}

export function openLookup(mesh: Mesh): Lookup {
  const event = finder("event", mesh.events);
  const service = finder("service", mesh.services);
  const stream = finder("stream", mesh.streams);
  const databases = new Map(mesh.databases.map((database) => [database.name, database]));
  const database = ({ database: name }: Service) => (name === undefined ? undefined : databases.get(name));
  const tables = (owner: Service) => database(owner)?.tables ?? [];
  const views = (owner: Service) => database(owner)?.views ?? [];
  return {
    mesh,
    event,
    service,
    stream,
    database,
    tables,
    table: (owner, name) => finder(`table of ${owner.name}`, tables(owner))(name),
    views,
    tableOrView: (owner, name) =>
      finder<Table | View>(`table or view of ${owner.name}`, [...tables(owner), ...views(owner)])(name),
    events: (owner) => owner.events.map(event),
    subscriptions: mesh.services.flatMap((subscriber) =>
      subscriber.consumers.map((consumer) => ({ service: subscriber, consumer })),
    ),
  };
}

function finder<Part extends { readonly name: string }>(
  kind: string,
  parts: readonly Part[],
): (name: string) => Part {
  const byName = new Map(parts.map((part) => [part.name, part]));
  return (name) => {
    const part = byName.get(name);
    if (part === undefined) throw new Error(`the resolved mesh has no ${kind} "${name}"`);
    return part;
  };
}
