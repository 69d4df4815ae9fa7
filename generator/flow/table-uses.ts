import type { Branch, Link } from "./branch.js";
import { eventPart, type Flow } from "./flow.js";
import { grow, leaf, type TreeContext } from "./grow.js";
import { hooksUsing } from "./hook-writes.js";
import type { Part, TablePart } from "./part.js";

/** What follows from a table: the events of its rows, what refers to it, who reads it. */
export function usesOfTable(context: TreeContext, at: TablePart): readonly Branch[] {
  const { flow } = context;
  return [
    ...flow.emittedFrom(at).map((event) => grow(context, { how: "emits", to: eventPart(event), with: [] })),
    ...flow.referring(at).map(({ table, column }) =>
      leaf({
        how: "references",
        to: { kind: "column", database: at.database, table: table.name, column: column.name },
        with: [column.references?.onDelete ?? "restrict"],
      }),
    ),
    ...[
      ...rulesOn(flow, at),
      ...resourcesOf(flow, at),
      ...snapshotsOf(flow, at),
      ...hooksUsing(flow, { database: at.database, table: at.table }),
      ...unseenReaders(flow, at.database),
    ].map(leaf),
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

/** The rules that change rows of a table, or delete them. */
export function rulesOn(flow: Flow, { database, table: name }: Rows): readonly Link[] {
  return flow.ownersOf(database).flatMap(({ name: service, consumers }) =>
    consumers.flatMap(({ cascades }) =>
      cascades
        .filter(({ table }) => table === name)
        .map(({ event, action, table, column }): Link => {
          const on = eventPart(flow.event(event)).subject;
          return {
            how: "found by",
            to: { kind: "rule", service, database, on, action, table, column },
            with: [],
          };
        }),
    ),
  );
}

/** Whose a database is, and what lies in it. */
export function partsOfDatabase(flow: Flow, name: string): readonly Branch[] {
  return [
    ...flow
      .ownersOf(name)
      .map(({ name: service }): Link => ({ how: "keeps", to: { kind: "service", service }, with: [] })),
    ...tablesOf(flow, name),
  ].map(leaf);
}

/** The tables of a database, its copies and its views. */
export function tablesOf(flow: Flow, name: string): readonly Link[] {
  const { tables, views } = flow.database(name);
  return [
    ...tables.map(
      ({ name: table }): Link => ({ how: "holds", to: { kind: "table", database: name, table }, with: [] }),
    ),
    ...views.map(
      ({ name: view }): Link => ({ how: "holds", to: { kind: "view", database: name, view }, with: [] }),
    ),
  ];
}

/** Who reads or calls what a service serves. */
export function usesOfResource(flow: Flow, { service, path }: ResourcePart): readonly Link[] {
  const calls = flow.mesh.calls
    .filter(({ callee }) => callee === service)
    .flatMap(({ caller, grants }) =>
      grants
        .filter((grant) => grant.path === path)
        .map(
          ({ verbs }): Link => ({
            how: "calls",
            to: { kind: "service", service: caller },
            with: [`${verbs.join(", ").toUpperCase()} ${path}`],
          }),
        ),
    );
  return [...calls, ...snapshotsFrom(flow, [{ kind: "resource", service, path }])];
}

type ResourcePart = Extract<Part, { kind: "resource" }>;

/** The copies that are filled from the list of a table's rows, and the consumers that look there for what was lost. */
function snapshotsOf(flow: Flow, at: Rows): readonly Link[] {
  return snapshotsFrom(
    flow,
    resourcesOf(flow, at).flatMap(({ to }) => (to.kind === "resource" ? [to] : [])),
  );
}

function snapshotsFrom(flow: Flow, paths: readonly ResourcePart[]): readonly Link[] {
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
