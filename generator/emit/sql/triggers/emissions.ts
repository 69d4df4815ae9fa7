import { kindOf } from "@meshwright/runtime/column-types";
import { identifier, literal } from "../../../migrations/sql-names.js";
import type { Event, Table } from "../../../model/mesh.js";
import { condition, type Operation, rowSource } from "./condition.js";
import { payloadList } from "./payload.js";

/** A statement that writes one event for each row that means it. */
export interface EmissionView {
  /** `emit`, or `emit_about` where rows name the entity in a column (`id:`): several may name one. */
  readonly call: string;
  readonly entity: string;
  readonly action: string;
  readonly source: string;
  /** The id of the row's entity, as text. */
  readonly id: string;
  /** In which order rows that name one entity are told: none or one. */
  readonly order: readonly string[];
  /** Whether a life of the entity begins with the row. */
  readonly birth: string;
  readonly columns: string;
  readonly from: string;
  readonly where: readonly string[];
}

/** Of all events of a table that one operation may mean, in the order in which a row's events are told. */
export function emissionViews(
  events: readonly Event[],
  table: Table,
  operation: Operation,
): readonly EmissionView[] {
  const own = events.filter(({ emit }) => emit?.id === undefined);
  const about = events.filter(({ emit }) => emit?.id !== undefined);
  return [
    ...own.map((event) => ({
      ...emissionView(event, table, operation),
      birth: operation === "insert" ? birthOf(event, own, table) : "false",
    })),
    ...about.map((event) => aboutView(event, table, operation)),
  ];
}

function emissionView(event: Event, table: Table, operation: Operation): EmissionView {
  const { row, from } = rowSource(table, operation);
  const meant = condition(event, table, operation);
  return {
    call: "emit",
    entity: literal(entityOf(event)),
    action: literal(event.action),
    source: literal(event.source),
    id: columnText(table, table.key, row),
    order: [],
    birth: "false",
    columns: payloadList(event, table, row),
    from,
    where: meant === undefined ? [] : [meant],
  };
}

/**
 * An event of rows that name its entity in a column of theirs and are something else: a like that is told of its
 * comment. It tells the entity that the row names now, and on a deletion the one that it named; a row that names
 * none tells nothing, and none of them begins a life of its entity.
 */
function aboutView(event: Event, table: Table, operation: Operation): EmissionView {
  const view = emissionView(event, table, operation);
  const { row } = rowSource(table, operation);
  const column = event.emit?.id ?? table.key;
  const id = columnText(table, column, row);
  const named = `${row}.${identifier(column)} IS NOT NULL`;
  return {
    ...view,
    call: "emit_about",
    id,
    order: [`${id}, ${row}.${identifier(table.key)}`],
    where: [named, ...view.where.map((meant) => `(${meant})`)],
  };
}

/** `auth.user` */
function entityOf(event: Event): string {
  return `${event.service}.${event.entity}`;
}

/**
 * A life begins with the first event of a row that means a creation: only what tells of one begins a life, since
 * other tables may speak of the same entity, and a snapshot that told a life which never began would have its cascades run.
 */
function birthOf(event: Event, events: readonly Event[], table: Table): string {
  const same = events.filter((other) => entityOf(other) === entityOf(event));
  const meant = (other: Event) => {
    const said = condition(other, table, "insert");
    return said === undefined ? "true" : `(${said}) IS TRUE`;
  };
  const before = same.slice(0, same.indexOf(event)).map(meant);
  const creations = same.slice(same.indexOf(event)).filter(({ change }) => change === "create");
  if (before.includes("true") || creations.length === 0) return "false";
  // The row means this event, or it would not be told.
  const begins = creations.includes(event) ? ["true"] : creations.map(meant);
  const none = before.map((said) => `NOT (${said})`);
  const any = begins.includes("true") ? [] : [`(${begins.join(" OR ")})`];
  const all = [...none, ...any];
  return all.length === 0 ? "true" : all.join(" AND ");
}

/** A column of a row as text. */
export function columnText(table: Table, column: string, row: string): string {
  const type = table.columns.find(({ name }) => name === column)?.type;
  const text = type !== undefined && kindOf(type) === "text";
  return `${row}.${identifier(column)}${text ? "" : "::text"}`;
}
