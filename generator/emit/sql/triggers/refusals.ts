import { identifier, literal, objectName } from "../../../migrations/sql-names.js";
import type { Event, Mesh, Table } from "../../../model/mesh.js";
import { emissionRules } from "../../../rules/payload-conditions.js";
import { condition, emitsOnAnyChange, rowSource } from "./condition.js";
import type { Occasion } from "./occasions.js";

/** A rule of an event's payload that a row must keep for the event to be written. */
export interface RefusalView {
  readonly from: string;
  /** Rows that mean the event and break the rule. */
  readonly where: string;
  /** Quoted SQL strings. */
  readonly event: string;
  readonly constraint: string;
  readonly column: string;
}

export interface Emitting {
  readonly mesh: Mesh;
  readonly table: Table;
  readonly occasion: Occasion;
}

/** The rules that no CHECK of the table can hold, since not every write of a row emits the event. */
export function refusalViews(event: Event, { mesh, table, occasion }: Emitting): readonly RefusalView[] {
  const { row, from } = rowSource(table, occasion, { whole: emitsOnAnyChange(event, table, occasion) });
  const meant = condition(event, table, occasion);
  return emissionRules(event, table, mesh).map(({ column, condition: rule }) => {
    const kept = `(${rule(`${row}.${identifier(column.name)}`)}) IS FALSE`;
    return {
      from,
      where: meant === undefined ? kept : `(${meant}) AND ${kept}`,
      event: literal(event.name),
      constraint: literal(objectName(table.name, column.name, event.action, "payload")),
      column: literal(column.name),
    };
  });
}
