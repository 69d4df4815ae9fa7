import type { Event, Service } from "../model/mesh.js";
import type { Branch, Link } from "./branch.js";
import { eventPart, type Flow } from "./flow.js";
import { grow, leaf, type TreeContext, within } from "./grow.js";
import { hooksOf, statementsRunBy } from "./hook-links.js";
import type { UsedTable } from "./hook-reads.js";
import type { TablePart } from "./part.js";
import { afterRemoval, mayMeanUpdate, whenOf } from "./removal.js";

/** The tables that a hook writes by SQL of its own, with what follows from that. Tables that the mesh does not know are left out: nothing follows from them. */
export function writtenBy(context: TreeContext, link: Link): readonly Branch[] {
  const { flow } = context;
  if (link.to.kind !== "hook") return [];
  const { database } = flow.service(link.to.service);
  if (database === undefined) return [];
  const { tables, isWhole } = statementsRunBy(flow, link);
  const found = new Map<string, UsedTable[]>();
  for (const written of tables) {
    const table = tableOf(flow, database, written);
    if (table !== undefined && written.how !== "read")
      found.set(table, [...(found.get(table) ?? []), written]);
  }
  return [
    ...[...found].map(([table, statements]) => {
      const to: TablePart = { kind: "table", database, table };
      const verbs = [...new Set(statements.map(({ how }) => how))];
      return within({ how: "writes rows", to, with: verbs }, [
        ...(verbs.includes("delete") ? afterRemoval(context, to) : []),
        ...flow
          .emittedFrom(to)
          .filter((event) => statements.some((statement) => mayMean(flow, statement, { event, at: to })))
          .map((event) => grow(context, { how: "emits", to: eventPart(event), with: whenOf(event) })),
      ]);
    }),
    ...(isWhole ? [] : [leaf({ how: "may write", to: { kind: "database", database }, with: [] })]),
  ];
}

/** The hooks whose own SQL uses a table, or names a column of it: to them it matters what it is called. */
export function hooksUsing(
  flow: Flow,
  { database, table, column }: Pick<TablePart, "database" | "table"> & { readonly column?: string },
): readonly Link[] {
  return flow.ownersOf(database).flatMap((service) =>
    hooksOf(flow, service).flatMap((link): readonly Link[] => {
      const used = statementsRunBy(flow, link).tables.filter(
        (each) =>
          tableOf(flow, database, each) === table &&
          (column === undefined || each.names.includes(column) || each.names.includes("*")),
      );
      return used.length === 0
        ? []
        : [{ how: "used by SQL", to: link.to, with: [...new Set(used.map(({ how }) => how))] }];
    }),
  );
}

/** By the name that the mesh gives it, or that of the table that exists. */
function tableOf(
  flow: Flow,
  database: NonNullable<Service["database"]>,
  { schema, name }: UsedTable,
): string | undefined {
  return flow
    .database(database)
    .tables.find(({ name: own, at }) =>
      at === undefined
        ? own === name && (schema === undefined || schema === "public")
        : at.table === name && (schema === undefined || schema === at.schema),
    )?.name;
}

/** What becomes of deleted rows is told of them all at once. */
function mayMean(
  flow: Flow,
  { how, columns }: UsedTable,
  { event, at }: { readonly event: Event; readonly at: TablePart },
): boolean {
  const { emit } = event;
  if (emit === undefined || how === "delete" || how === "read") return false;
  if (how === "insert") return emit.on.includes("insert");
  const { softDelete } = flow.table(at);
  if (softDelete !== undefined && columns.includes(softDelete))
    return emit.on.includes("delete") || emit.on.includes("insert");
  return mayMeanUpdate(event, columns);
}
