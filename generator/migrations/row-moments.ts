import { factsOf, kindOf } from "@meshwright/runtime/column-types";
import type { Event, Mesh, Table } from "../model/mesh.js";
import { emittedFrom } from "../rules/emitted.js";
import { castBetween } from "./casts.js";
import type { TableSchema, TimedSchema } from "./database-schema.js";
import { columnsOf, type TablePair } from "./renamed-tables.js";
import { columnText, rowLives } from "./row-sql.js";
import { identifier, objectName } from "./sql-names.js";
import type { Step } from "./steps.js";

/*
 * The moments of a table's rows: what `mesh.moment` has of each event at a time.
 */

export function timedSchemas(table: Table, mesh: Mesh): readonly TimedSchema[] {
  return emittedFrom(table, mesh).flatMap((event) => {
    const at = event.emit?.at;
    if (at === undefined) return [];
    return [
      {
        event: momentName(event),
        column: at,
        routine: routineName(table),
        key: keyArray(table, "kept"),
        due: dueOf(event, table, "kept"),
        living: rowLives(table, "kept")[0],
      },
    ];
  });
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
  return `ARRAY[${table.key.map((name) => columnText(table, name, row)).join(", ")}]`;
}

/** SQL: the moment at which a row means the event; a column without a time zone is in UTC. */
export function dueOf({ emit }: Event, table: Table, row: string): string {
  const column = table.columns.find(({ name }) => name === emit?.at);
  const value = `${row}.${identifier(column?.name ?? "")}`;
  if (column === undefined || factsOf(column.type).zoned === true) return value;
  return `(${value}${kindOf(column.type) === "day" ? "::timestamp" : ""} AT TIME ZONE 'UTC')`;
}

/**
 * Moments follow the column that they are read from: of another one, those that wait mean nothing. Where rows get other keys, or
 * what makes their moments changes, those of the rows that wait are noted anew, also where they have come and are not told yet.
 */
export function compareMoments({ previous, next, columns }: TablePair): readonly Step[] {
  const names = columnsOf(columns);
  const isSame = (old: TimedSchema, timed: TimedSchema) =>
    old.event === timed.event && names.get(old.column) === timed.column;
  const isKept = (old: TimedSchema, timed: TimedSchema) =>
    old.key === timed.key && old.due === timed.due && old.living === timed.living;
  const pairs = next.timed.map((timed) => ({
    timed,
    old: previous.timed.find((old) => isSame(old, timed)),
  }));
  return [
    ...forgetMoments(previous.timed.filter((old) => !next.timed.some((timed) => isSame(old, timed)))),
    ...pairs.flatMap(({ timed, old }): readonly Step[] => {
      if (old === undefined) return scheduleRows(next, [timed]);
      if (!isKept(old, timed)) return noteAnew(old, timed, { previous, next, columns });
      const { event, routine } = timed;
      return old.routine === routine ? [] : [{ kind: "reroute_moments", event, routine }];
    }),
  ];
}

function noteAnew(
  old: TimedSchema,
  timed: TimedSchema,
  { previous, next, columns }: TablePair,
): readonly Step[] {
  const { event } = timed;
  const cells = next.key.columns.flatMap((name) => {
    const kept = columns.kept.find((pair) => pair.next.name === name);
    if (kept === undefined) return [];
    const cast = castBetween(kept.previous.type, kept.next.type);
    return `(${cast.using(`kept.${identifier(kept.previous.name)}`)})::text`;
  });
  return [
    // Of a column that is new no row knows yet what it will hold.
    ...(cells.length < next.key.columns.length
      ? []
      : [
          {
            kind: "set_moments_aside",
            table: previous.name,
            event,
            from: old.key,
            to: `ARRAY[${cells.join(", ")}]`,
          } as const,
        ]),
    ...forgetMoments([old]),
    { kind: "restore_moments", table: next.name, timed },
    ...scheduleRows(next, [timed]),
  ];
}

export function forgetMoments(timed: readonly TimedSchema[]): readonly Step[] {
  return timed.map(({ event }): Step => ({ kind: "forget_moments", event }));
}

export function scheduleRows({ name }: TableSchema, timed: readonly TimedSchema[]): readonly Step[] {
  return timed.map((each): Step => ({ kind: "schedule_rows", table: name, timed: each }));
}
