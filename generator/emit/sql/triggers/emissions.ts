import { columnText, idText, keyList } from "../../../migrations/row-sql.js";
import { identifier } from "../../../migrations/sql-names.js";
import type { Event, Table } from "../../../model/mesh.js";
import { literal } from "../../../quote/sql.js";
import { condition, emitsOnAnyChange, ROW_NUMBER, rowSource } from "./condition.js";
import type { Occasion } from "./occasions.js";
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
  /** The order of the events of rows that name one entity; empty, or one list of columns. */
  readonly order: readonly string[];
  /** By which the rows are parted, 10,000 at a time. */
  readonly number: string;
  /** SQL: whether an incarnation of the entity begins with the row. */
  readonly beginsIncarnation: string;
  readonly columns: string;
  readonly from: string;
  readonly where: readonly string[];
}

/** Of all events that one occasion of a table may mean, in the order in which a row's events are written. */
export function emissionViews(
  events: readonly Event[],
  table: Table,
  occasion: Occasion,
): readonly EmissionView[] {
  const own = events.filter(({ emit }) => emit?.id === undefined);
  const about = events.filter(({ emit }) => emit?.id !== undefined);
  return [
    ...own.map((event) => ({
      ...emissionView(event, table, occasion),
      beginsIncarnation: occasion.means === "insert" ? beginningOf(event, own, { table, occasion }) : "false",
    })),
    ...about.map((event) => aboutView(event, table, occasion)),
  ];
}

function emissionView(event: Event, table: Table, occasion: Occasion): EmissionView {
  const source = rowSource(table, occasion, { whole: emitsOnAnyChange(event, table, occasion) });
  const { row, from } = source;
  const meant = condition(event, table, occasion);
  return {
    call: "emit",
    entity: literal(entityName(event)),
    action: literal(event.action),
    source: literal(event.source),
    id: idText(table, row),
    order: [],
    number: `${row}.${ROW_NUMBER}`,
    beginsIncarnation: "false",
    columns: payloadList(event, table, source),
    from,
    where: meant === undefined ? [] : [meant],
  };
}

/**
 * An event of rows that name its entity in a column and are something else: a like, whose events are those of its
 * comment. The event is of the entity that the row names now, on a deletion of the one that it named. A row that names
 * none has no event, and none of these events begins an incarnation of its entity.
 */
function aboutView(event: Event, table: Table, occasion: Occasion): EmissionView {
  const view = emissionView(event, table, occasion);
  const column = event.emit?.id ?? "";
  const { row, from } = rowSource(table, occasion, {
    order: [columnText(table, column), keyList(table)],
    whole: emitsOnAnyChange(event, table, occasion),
  });
  const named = occasion.means === "delete" && row === "after" ? "before" : row;
  return {
    ...view,
    call: "emit_about",
    id: columnText(table, column, named),
    order: [view.number],
    from,
    where: [`${named}.${identifier(column)} IS NOT NULL`, ...view.where.map((meant) => `(${meant})`)],
  };
}

/** `auth.user` */
export function entityName(event: Event): string {
  return `${event.service}.${event.entity}`;
}

/**
 * SQL: whether an incarnation begins with the event: it is the first of its row, and the row means a creation. An insert
 * without one begins none, since other tables may have events of the same entity, and a snapshot with the first version of
 * an incarnation that never began would run the cascades of the one that is.
 */
function beginningOf(
  event: Event,
  events: readonly Event[],
  { table, occasion }: { readonly table: Table; readonly occasion: Occasion },
): string {
  const same = events.filter((other) => entityName(other) === entityName(event));
  const meant = (other: Event) => {
    const said = condition(other, table, occasion);
    return said === undefined ? "true" : `(${said}) IS TRUE`;
  };
  const before = same.slice(0, same.indexOf(event)).map(meant);
  const creations = same.slice(same.indexOf(event)).filter(({ change }) => change === "create");
  if (before.includes("true") || creations.length === 0) return "false";
  // The row means this event, or nothing would be written.
  const begins = creations.includes(event) ? ["true"] : creations.map(meant);
  const none = before.map((said) => `NOT (${said})`);
  const any = begins.includes("true") ? [] : [`(${begins.join(" OR ")})`];
  const all = [...none, ...any];
  return all.length === 0 ? "true" : all.join(" AND ");
}
