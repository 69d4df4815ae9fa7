import { objectName } from "../../../migrations/sql-names.js";
import { leavesOf } from "../../../model/field-leaves.js";
import type { Event, FieldSource, Mesh, Table } from "../../../model/mesh.js";
import { literal } from "../../../quote/sql.js";
import { emissionRules } from "../../../rules/payload-conditions.js";
import { condition, emitsOnAnyChange, type RowSource, rowSource } from "./condition.js";
import type { Occasion } from "./occasions.js";
import { columnValue } from "./payload.js";

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

type Referenced = Extract<FieldSource, { kind: "referenced" }>;

/** Whose row may be missing while the event is written: a foreign key that exists may be checked at COMMIT alone. */
function missingRows(event: Event, table: Table): readonly Referenced[] {
  if (table.existing !== true) return [];
  return leavesOf(event).flatMap(({ source, optional }) =>
    source?.kind === "referenced" && !optional ? [source] : [],
  );
}

/** The rules that no CHECK of the table can hold, since not every write of a row emits the event. */
export function refusalViews(event: Event, { mesh, table, occasion }: Emitting): readonly RefusalView[] {
  const source = rowSource(table, occasion, { whole: emitsOnAnyChange(event, table, occasion) });
  return refusalsOf(event, { mesh, table, source, meant: condition(event, table, occasion) });
}

/** The same of any rows; `meant`: which of them mean the event, all where it is undefined. */
export function refusalsOf(
  event: Event,
  {
    mesh,
    table,
    source,
    meant,
  }: Omit<Emitting, "occasion"> & { readonly source: RowSource; readonly meant: string | undefined },
): readonly RefusalView[] {
  const refusal = (column: string, broken: string): RefusalView => ({
    from: source.from,
    where: meant === undefined ? broken : `(${meant}) AND ${broken}`,
    event: literal(event.name),
    constraint: literal(objectName(table.name, column, event.action, "payload")),
    column: literal(column),
  });
  const rules = emissionRules(event, table, mesh).map(({ source: shown, column, condition: rule }) =>
    refusal(
      shown.kind === "referenced" ? shown.by : column.name,
      `(${rule(columnValue(shown, source))}) IS FALSE`,
    ),
  );
  const missing = missingRows(event, table).map((shown) =>
    refusal(shown.by, `${columnValue(shown, source)} IS NULL`),
  );
  return [...rules, ...missing];
}
