import { livesExpression } from "@meshwright/runtime/column-sql";
import { factsOf, kindOf } from "@meshwright/runtime/column-types";
import type { Event, Mesh, Table } from "../model/mesh.js";
import type { TableSchema, TimedSchema } from "./database-schema.js";
import { revivesRows } from "./soft-deletion.js";
import { identifier, objectName } from "./sql-names.js";
import type { Step } from "./steps.js";

/*
 * The moments of a table's rows: what `mesh.moment` has of each event at a time.
 */

export function timedSchemas(table: Table, mesh: Mesh): readonly TimedSchema[] {
  const deletion = table.columns.find(({ name }) => name === table.softDelete);
  return mesh.events.flatMap((event) => {
    const { at, table: name } = event.emit ?? {};
    if (at === undefined || name !== table.name || !isOwned(event, table, mesh)) return [];
    return [
      {
        event: momentName(event),
        column: at,
        routine: routineName(table),
        key: keyArray(table, "kept"),
        due: dueOf(event, table, "kept"),
        living: deletion && livesExpression(deletion, `kept.${identifier(deletion.name)}`),
      },
    ];
  });
}

/** Tables of two databases may have one name. */
function isOwned({ service }: Event, table: Table, mesh: Mesh): boolean {
  return mesh.databases.some((database) => database.service === service && database.tables.includes(table));
}

/** `library.reservation.expired` */
export function momentName({ service, entity, action }: Event): string {
  return `${service}.${entity}.${action}`;
}

/** Of the function that writes the table's events at a time, in schema `mesh`. */
export function routineName({ name }: Pick<Table, "name">): string {
  return objectName("due", name);
}

/** SQL: the texts of a row's key columns. */
export function keyArray(table: Table, row: string): string {
  const cells = table.key.map((name) => {
    const type = table.columns.find((column) => column.name === name)?.type;
    return `${row}.${identifier(name)}${type !== undefined && kindOf(type) === "text" ? "" : "::text"}`;
  });
  return `ARRAY[${cells.join(", ")}]`;
}

/** SQL: the moment at which a row means the event; a column without a time zone is in UTC. */
export function dueOf({ emit }: Event, table: Table, row: string): string {
  const column = table.columns.find(({ name }) => name === emit?.at);
  const value = `${row}.${identifier(column?.name ?? "")}`;
  if (column === undefined || factsOf(column.type).zoned === true) return value;
  return `(${value}${kindOf(column.type) === "day" ? "::timestamp" : ""} AT TIME ZONE 'UTC')`;
}

/** Moments follow the column that they are read from: of another one, those that wait mean nothing. */
export function compareMoments(
  { previous, next }: { readonly previous: TableSchema; readonly next: TableSchema },
  names: ReadonlyMap<string, string>,
): readonly Step[] {
  const isSame = (old: TimedSchema, timed: TimedSchema) =>
    old.event === timed.event && names.get(old.column) === timed.column;
  const former = (timed: TimedSchema) => previous.timed.find((old) => isSame(old, timed));
  const revives = revivesRows(previous, next, names);
  return [
    ...forgetMoments(previous.timed.filter((old) => !next.timed.some((timed) => isSame(old, timed)))),
    ...scheduleRows(
      next,
      next.timed.filter((timed) => revives || former(timed) === undefined),
    ),
    ...next.timed
      .filter((timed) => (former(timed) ?? timed).routine !== timed.routine)
      .map(({ event, routine }): Step => ({ kind: "reroute_moments", event, routine })),
  ];
}

export function forgetMoments(timed: readonly TimedSchema[]): readonly Step[] {
  return timed.map(({ event }): Step => ({ kind: "forget_moments", event }));
}

export function scheduleRows({ name }: TableSchema, timed: readonly TimedSchema[]): readonly Step[] {
  return timed.map((each): Step => ({ kind: "schedule_rows", table: name, timed: each }));
}
