import type { Event } from "../model/mesh.js";
import type { Branch, Link } from "./branch.js";
import { eventPart, payloadOf } from "./flow.js";
import { grow, growAs, leaf, type TreeContext, within } from "./grow.js";
import type { ColumnPart, TablePart } from "./part.js";

type Rows = Pick<TablePart, "database" | "table">;

/** What follows from rows that go: their events, the rows that reference them, the moments that no longer come. */
export function afterRemoval(context: TreeContext, at: Rows): readonly Branch[] {
  const { flow } = context;
  const events = flow.emittedFrom(at);
  return [
    ...events
      .filter(({ emit }) => emit?.on.includes("delete"))
      .map((event) => grow(context, { how: "emits", to: eventPart(event), with: whenOf(event) })),
    ...cancelled(events),
    ...alongWith(context, at),
  ];
}

/** The rows of the same database that reference those that go. A row that is deleted softly still stands, and so does what references it. */
function alongWith(context: TreeContext, at: Rows): readonly Branch[] {
  const { database } = at;
  if (context.flow.table(at).softDelete !== undefined) return [];
  return context.flow.referring(at).map(({ table, column }) => {
    const to: ColumnPart = { kind: "column", database, table: table.name, column: column.name };
    const action = column.references?.onDelete ?? "restrict";
    switch (action) {
      case "cascade": {
        const rows: TablePart = { kind: "table", database, table: table.name };
        const gone = `gone ${database}.${table.name}`;
        const link: Link = { how: "goes with", to: rows, with: [column.name, at.table] };
        return growAs(context, link, { key: gone, follow: (inner) => afterRemoval(inner, rows) });
      }
      case "set_null":
        return within({ how: "cleared with", to, with: [] }, afterClearing(context, to));
      case "restrict":
        return leaf({ how: "refuses", to, with: [] });
      default:
        return action satisfies never;
    }
  });
}

/** The rows that go with the row whose deletion is told. */
export function besideDeletion(context: TreeContext, { emit, service }: Event): readonly Branch[] {
  const { flow } = context;
  const { database } = flow.service(service);
  if (emit === undefined || database === undefined || !emit.on.includes("delete")) return [];
  return alongWith(context, { database, table: emit.table });
}

/** What follows from a column that becomes NULL. */
export function afterClearing(context: TreeContext, at: ColumnPart): readonly Branch[] {
  const events = context.flow.emittedFrom(at);
  return [
    ...events
      .filter((event) => mayMeanClearing(event, at.column))
      .map((event) => grow(context, { how: "emits", to: eventPart(event), with: whenOf(event) })),
    ...cancelled(events.filter(({ emit }) => emit?.at === at.column)),
  ];
}

/** Whether an update that clears the column may mean the event. */
function mayMeanClearing(event: Event, column: string): boolean {
  const { of = [], when = [] } = event.emit ?? {};
  const isAsked = of.length === 0 && when.length > 0;
  const isHeld = when.some((held) => held.column === column && held.isNull === true);
  return mayMeanUpdate(event, [column]) && (!isAsked || isHeld);
}

/** Whether an update that sets the columns may mean the event: one that it names, else one that it asks for, else one that it shows. */
export function mayMeanUpdate(event: Event, columns: readonly string[]): boolean {
  const { emit } = event;
  if (emit === undefined || !emit.on.includes("update")) return false;
  if (emit.of.length > 0) return emit.of.some((name) => columns.includes(name));
  if (emit.when.length > 0) return emit.when.some(({ column }) => columns.includes(column));
  return payloadOf(event).some(
    ({ field: { source } }) => source?.kind === "column" && columns.includes(source.column),
  );
}

export function whenOf({ emit }: Event): readonly string[] {
  return (emit?.when ?? []).map(({ column }) => column);
}

function cancelled(events: readonly Event[]): readonly Branch[] {
  return events.flatMap((event) =>
    event.emit?.at === undefined
      ? []
      : [leaf({ how: "cancels", to: eventPart(event), with: [event.emit.at] })],
  );
}
