import { onceFor } from "../collections/once.js";
import { wireName } from "../vocabulary/namings.js";
import type { FieldNode } from "./grammar.js";
import { leavesOf } from "./payload-leaves.js";
import type { Program } from "./program.js";
import type { ColumnSymbol, EventSymbol, FieldSymbol, TableSymbol } from "./symbols.js";

/** The events whose fields are a table's columns: those that it emits, or that look into it, or that fill it. */
export function carriersOf(table: TableSymbol, program: Program): readonly EventSymbol[] {
  if (table.cacheOf !== undefined) return program.entities.get(table.cacheOf.text)?.events ?? [];
  return ownCarriers(program).get(table) ?? [];
}

const ownCarriers = onceFor(({ events }: Program): ReadonlyMap<TableSymbol, readonly EventSymbol[]> => {
  const byTable = new Map<TableSymbol, EventSymbol[]>();
  for (const event of events) {
    const shown = leavesOf(event.fields.values()).flatMap(({ source }) =>
      source !== undefined && "of" in source ? (source.of ?? []) : [],
    );
    for (const table of new Set([...(event.table === undefined ? [] : [event.table]), ...shown]))
      byTable.set(table, [...(byTable.get(table) ?? []), event]);
  }
  return byTable;
});

/** The fields of an event that show the column: of a copy the one that fills it. */
export type FieldsFor = (event: EventSymbol) => readonly FieldSymbol[];

export function fieldsFor(column: ColumnSymbol, table: TableSymbol, program: Program): FieldsFor {
  if (table.cacheOf === undefined)
    return ({ fields }) =>
      leavesOf(fields.values()).filter(
        ({ source }) => source !== undefined && "target" in source && source.target === column,
      );
  const { field } = fillingOf(column, carriersOf(table, program));
  return ({ fields }) => {
    const filling = fields.get(field);
    return filling === undefined ? [] : [filling];
  };
}

/** What fills a column of a copy. */
export interface Filling {
  /** Of its events. */
  readonly field: string;
  /** The owner's column that the field shows; undefined where no table of the mesh has it. */
  readonly column: string | undefined;
  /** Of the owner's rows in a snapshot. */
  readonly member: string;
}

/** The field that the copy says; else that of the column's name, as it is or as the owner calls it; else one that shows the owner's column of that name. */
export function fillingOf({ name, from }: ColumnSymbol, events: readonly EventSymbol[]): Filling {
  const naming = events[0]?.service?.naming ?? "columns";
  const telling = events.filter(({ change }) => change !== "delete");
  const isTold = (field: string) => telling.some(({ fields }) => fields.has(field));
  const called = wireName(name, naming);
  const field = from?.value ?? [name, called].find(isTold) ?? fieldShowing(name, telling) ?? called;
  const own = toldByRows(events);
  const sources = own.flatMap(({ fields }) => columnShown(fields.get(field)) ?? []);
  const column = sources[0] ?? (own.length > 0 ? name : undefined);
  return { field, column, member: column === undefined ? field : wireName(column, naming) };
}

/** Those that rows tell of themselves, not of an entity that they name. */
export function toldByRows(events: readonly EventSymbol[]): readonly EventSymbol[] {
  return events.filter(({ table, id }) => table !== undefined && id === undefined);
}

/** The table whose rows are the entity; undefined where the owner is written by hand. */
export function sourceOf(events: readonly EventSymbol[]): TableSymbol | undefined {
  return toldByRows(events)[0]?.table;
}

function fieldShowing(column: string, events: readonly EventSymbol[]): string | undefined {
  const fields = events.flatMap((event) => (event.id === undefined ? [...event.fields.values()] : []));
  return fields.find((field) => columnShown(field) === column)?.name;
}

/** The column of the row itself, as it is now: what a snapshot shows too. */
function columnShown(field: FieldSymbol | undefined): string | undefined {
  return field?.source?.kind === "column" ? field.source.column : undefined;
}

/** Whether events carry the field as a decimal string. */
export function isDecimalText(field: FieldNode | undefined): boolean {
  return field?.kind === "choice" && field.value === "bigint" && !field.suffix.startsWith("[]");
}
