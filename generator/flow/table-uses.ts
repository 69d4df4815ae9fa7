import type { Branch, Link } from "./branch.js";
import { eventPart, type Flow } from "./flow.js";
import { type Growth, grow, leaf } from "./grow.js";
import type { TablePart } from "./part.js";

/** What follows from a table: the events of its rows, what refers to it, who reads it. */
export function usesOfTable(growth: Growth, at: TablePart): readonly Branch[] {
  const { flow } = growth;
  return [
    ...flow.emittedFrom(at).map((event) => grow(growth, { how: "emits", to: eventPart(event), with: [] })),
    ...flow.referring(at).map(({ table, column }) =>
      leaf({
        how: "references",
        to: { kind: "column", database: at.database, table: table.name, column: column.name },
        with: [column.references?.onDelete ?? "restrict"],
      }),
    ),
    ...[...resourcesOf(flow, at), ...snapshotsOf(flow, at), ...unseenReaders(flow, at.database)].map(leaf),
  ];
}

type Rows = Pick<TablePart, "database" | "table">;

/** The REST resources over a table, with whether they are written too. */
export function resourcesOf(flow: Flow, { database, table }: Rows): readonly Link[] {
  return flow.ownersOf(database).flatMap((service) =>
    (service.http?.resources ?? [])
      .filter((resource) => resource.table === table)
      .map(
        ({ path, readonly }): Link => ({
          how: "serves",
          to: { kind: "resource", service: service.name, path },
          with: [readonly ? "read-only" : "read and written"],
        }),
      ),
  );
}

/** The copies that are filled from the list of a table's rows, and the consumers that look there for what was lost. */
function snapshotsOf(flow: Flow, at: Rows): readonly Link[] {
  const paths = resourcesOf(flow, at).flatMap(({ to }) => (to.kind === "resource" ? [to] : []));
  return flow.mesh.services.flatMap(({ database, name: service, consumers }) =>
    consumers.flatMap(({ cache, source, durable, entity, name }): readonly Link[] => {
      const copy = database === undefined || cache === undefined ? undefined : { database, table: cache };
      const sync = copy === undefined ? source : flow.table(copy).cache?.sync;
      if (!paths.some((resource) => resource.service === sync?.service && resource.path === sync.path))
        return [];
      const to =
        copy === undefined
          ? ({ kind: "consumer", service, durable, entity, name } as const)
          : ({ kind: "table", ...copy } as const);
      return [{ how: "snapshot", to, with: [`GET ${sync?.path}`] }];
    }),
  );
}

/** What only the database knows to read a table, or not to. */
export function unseenReaders(flow: Flow, database: string): readonly Link[] {
  const { views, sql } = flow.database(database);
  return [
    ...views.map(
      ({ name }): Link => ({ how: "may read", to: { kind: "view", database, view: name }, with: [] }),
    ),
    ...(sql === undefined
      ? []
      : [{ how: "may read" as const, to: { kind: "own SQL" as const, database, folder: sql }, with: [] }]),
  ];
}
