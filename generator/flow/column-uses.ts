import type { Column, Condition, Event, Table } from "../model/mesh.js";
import type { Branch, Link } from "./branch.js";
import { conditionText } from "./condition-text.js";
import { memberFilling } from "./filling.js";
import { consumerPart, entityOf, eventPart, type Flow, fieldPart, type Shown } from "./flow.js";
import { grow, leaf, type TreeContext, within } from "./grow.js";
import { beforeHook } from "./hook-links.js";
import { hooksUsing } from "./hook-writes.js";
import type { ColumnPart } from "./part.js";
import { resourcesOf, rulesOn, unseenReaders } from "./table-uses.js";

/** Everything that reads a column, or is filled by it, and what follows from that. */
export function usesOfColumn(context: TreeContext, at: ColumnPart): readonly Branch[] {
  const table = context.flow.table(at);
  const column = table.columns.find(({ name }) => name === at.column);
  if (column === undefined) throw new Error(`${at.database}.${at.table} has no column "${at.column}"`);
  return [
    ...identities(context, at, { table, column }),
    ...fields(context, at),
    ...decisions(context, at, table),
    ...snapshots(context, at, { table, column }),
    ...references(context, at, table),
    ...[
      ...rulesOn(context.flow, at).filter(({ to }) => to.kind === "rule" && to.column === at.column),
      ...checks(at, { table, column }),
      ...resources(context.flow, at, { table, column }),
      ...readers(context.flow, at),
    ].map(leaf),
  ];
}

export interface Stands {
  readonly table: Table;
  readonly column: Column;
}

/** Where the column makes the id of an entity: the columns of other services that hold it. */
function identities(context: TreeContext, at: ColumnPart, { table, column }: Stands): readonly Branch[] {
  const { flow } = context;
  const emitted = flow.emittedFrom(at);
  const own = column.key ? emitted.filter(({ emit }) => emit?.id === undefined) : [];
  const named = emitted.filter(({ emit }) => emit?.id === at.column);
  const entities = new Set([...own, ...named].map(entityOf));
  const copied = table.cache !== undefined && column.key ? [table.cache.entity] : [];
  return [...entities]
    .filter((entity) => !copied.includes(entity))
    .map((entity) =>
      within(
        { how: "names", to: { kind: "entity", entity }, with: [] },
        holders(flow, entity).map((to) => leaf({ how: "holds id", to, with: [] })),
      ),
    );
}

/** The columns in which rules, and copies, keep the ids of an entity. */
export function holders(flow: Flow, entity: string): readonly ColumnPart[] {
  return flow.hearersOfEntity(entity).flatMap(({ service: { database }, consumer: { cache, cascades } }) => {
    if (database === undefined) return [];
    const key = cache === undefined ? [] : flow.table({ database, table: cache }).key;
    return [
      ...key.map((column): ColumnPart => ({ kind: "column", database, table: cache ?? "", column })),
      ...cascades.map(({ table, column }): ColumnPart => ({ kind: "column", database, table, column })),
    ];
  });
}

function fields(context: TreeContext, at: ColumnPart): readonly Branch[] {
  return context.flow.fieldsShowing(at).map((shown) => {
    const to = fieldPart(shown.event, shown.path);
    return grow(context, { ...showing(at, shown), to });
  });
}

function showing(at: ColumnPart, { event, field: { source } }: Shown): Omit<Link, "to"> {
  if (source?.kind === "old") return { how: "shows old", with: [] };
  if (source?.kind !== "referenced") return { how: "shows", with: [] };
  return source.by === at.column && event.emit?.table === at.table
    ? { how: "looks up", with: [`${source.table.name}.${source.column.name}`] }
    : { how: "shows referenced", with: [`${event.emit?.table}.${source.by}`] };
}

/** The events that are told, or not, by what the column holds. */
function decisions(context: TreeContext, at: ColumnPart, { softDelete }: Table): readonly Branch[] {
  const names = (conditions: readonly Condition[]) => conditions.some(({ column }) => column === at.column);
  const texts = (conditions: readonly Condition[]) =>
    conditions.filter(({ column }) => column === at.column).map(conditionText);
  const said = (event: Event): readonly Omit<Link, "to">[] => {
    const { emit } = event;
    if (emit === undefined) return [];
    return [
      ...(names(emit.when) ? [{ how: "when" as const, with: texts(emit.when) }] : []),
      ...(names(emit.unless) ? [{ how: "unless" as const, with: texts(emit.unless) }] : []),
      ...(emit.of.includes(at.column) ? [{ how: "of" as const, with: [] }] : []),
      ...(emit.at === at.column ? [{ how: "at" as const, with: [] }] : []),
      ...(softDelete === at.column && emit.on.includes("delete")
        ? [{ how: "soft delete" as const, with: [] }]
        : []),
      ...(softDelete === at.column && emit.on.includes("insert")
        ? [{ how: "restored" as const, with: [] }]
        : []),
    ];
  };
  return context.flow
    .emittedFrom(at)
    .flatMap((event) => said(event).map((link) => grow(context, { ...link, to: eventPart(event) })));
}

/** What others read of the owner's list of rows, where no event has told it already. */
function snapshots(context: TreeContext, at: ColumnPart, { table, column }: Stands): readonly Branch[] {
  const { flow } = context;
  const member = column.shown ?? column.name;
  const paths = resourcesOf(flow, at).flatMap(({ to }) => (to.kind === "resource" ? [to] : []));
  const isServed = (from: { readonly service: string; readonly path: string } | undefined) =>
    from !== undefined && paths.some(({ service, path }) => from.service === service && from.path === path);
  if (table.cache !== undefined || column.private === true) return [];
  return flow.mesh.services.flatMap((service) =>
    service.consumers.flatMap((consumer): readonly Branch[] => {
      const { cache, source } = consumer;
      const { database } = service;
      if (source !== undefined && isServed(source) && source.key.includes(member))
        return [
          leaf({ how: "snapshot", to: consumerPart({ service, consumer }), with: [`GET ${source.path}`] }),
        ];
      if (cache === undefined || database === undefined) return [];
      const copy = flow.table({ database, table: cache });
      const sync = copy.cache?.sync;
      if (sync === undefined || !isServed(sync)) return [];
      return copy.columns
        .filter((filled) => filled.local === undefined && memberFilling(filled) === member)
        .map(({ name: filled }) => {
          const to: ColumnPart = { kind: "column", database, table: cache, column: filled };
          return grow(context, { how: "snapshot", to, with: [`GET ${sync.path}`] });
        });
    }),
  );
}

function references(context: TreeContext, at: ColumnPart, { key }: Table): readonly Branch[] {
  if (key[0] !== at.column || key.length > 1) return [];
  return context.flow.referring(at).map(({ table, column }) => {
    const to: ColumnPart = {
      kind: "column",
      database: at.database,
      table: table.name,
      column: column.name,
    };
    return leaf({ how: "references", to, with: [column.references?.onDelete ?? "restrict"] });
  });
}

function checks(at: ColumnPart, { table, column }: Stands): readonly Link[] {
  const { database, table: name } = at;
  const sets = (kind: "unique" | "index", lists: readonly (readonly string[])[]): readonly Link[] =>
    lists
      .filter((columns) => columns.includes(at.column))
      .map((columns) => ({
        how: "covers",
        to: { kind, database, table: name, columns: columns.join(", ") },
        with: [],
      }));
  const alone: readonly Link[] = column.unique
    ? [{ how: "covers", to: { kind: "unique", database, table: name, columns: at.column }, with: [] }]
    : [];
  return [
    ...(column.check === undefined ? [] : [{ how: "checks" as const, to: at, with: [column.check] }]),
    ...table.checks
      .filter(({ columns }) => columns.includes(at.column))
      .map(
        ({ name: check, condition }): Link => ({
          how: "checks",
          to: { kind: "check", database, table: name, check },
          with: [condition],
        }),
      ),
    ...alone,
    ...sets("unique", table.unique),
    ...sets("index", table.indexes),
  ];
}

function resources(flow: Flow, at: ColumnPart, { table, column }: Stands): readonly Link[] {
  // It would always say that the row lives.
  if (table.softDelete === column.name) return [];
  if (column.private === true)
    return resourcesOf(flow, at).flatMap(({ to, with: [mode] }): readonly Link[] =>
      mode === "read-only" ? [] : [{ how: "takes", to, with: [] }],
    );
  return resourcesOf(flow, at).map((link) => ({
    ...link,
    with: [column.shown ?? column.name, ...link.with],
  }));
}

/** Hooks that get whole rows, and what only the database knows to read the column. */
function readers(flow: Flow, at: ColumnPart): readonly Link[] {
  const before = flow
    .ownersOf(at.database)
    .flatMap((service) =>
      service.consumers.flatMap(({ cascades }) =>
        cascades
          .filter((rule) => rule.table === at.table && rule.before !== undefined)
          .flatMap(({ before: hook = "" }) => beforeHook(flow, service, hook)),
      ),
    );
  const reads = before.filter(({ how, with: columns }) => how !== "reads" || columns.includes(at.column));
  return [...reads, ...hooksUsing(flow, at), ...unseenReaders(flow, at.database)];
}
