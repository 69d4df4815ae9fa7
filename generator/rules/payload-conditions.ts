import { kindOf } from "@meshwright/runtime/column-types";
import { leavesOf, showsColumn } from "../model/field-leaves.js";
import type { Column, Event, Field, FieldSource, Mesh, Table } from "../model/mesh.js";
import { emittedFrom } from "./emitted.js";
import { translateSchema } from "./translate-schema.js";
import type { Translation } from "./translation.js";

/*
 * Where the rules of a payload's own JSON Schema are enforced at its owner, whoever writes the row.
 *
 * A rule is a CHECK of the table where no value gets into its column without an event that demands the rule: some
 * event of every insert, and some event of every update, say so. All other rules (of an event with a `when`, of one
 * that only inserts write, of a deletion) concern some writes of a row and not others: the function that writes the
 * event asks them, of the rows that mean it, so that a row whose value is in no event may hold what it likes.
 * What SQL cannot say of an event is left to its validator.
 */

/** A condition on one column whose value the event carries. */
export interface EmissionRule {
  readonly column: Pick<Column, "name" | "type">;
  /** How the event comes by the value. */
  readonly source: ColumnSource;
  /** As SQL over the column. */
  readonly condition: (value: string) => string;
}

export type ColumnSource = Extract<FieldSource, { kind: "column" | "old" | "referenced" }>;

/** What each row of the table keeps in the column; empty where there is no such rule. */
export function tableConditions(
  column: Column,
  table: Table,
  mesh: Mesh,
): (value: string) => readonly string[] {
  // No event shows a softly deleted row: it may hold what it likes.
  if (table.softDelete !== undefined) return () => [];
  const events = emittedFrom(table, mesh).filter(({ emit }) => emit?.when.length === 0);
  const inserting = events.filter(({ emit }) => emit?.on.includes("insert"));
  // With `of`, an update may change other columns without the event.
  const updating = events.filter(
    ({ emit }) => emit?.on.includes("update") && (emit.of.length === 0 || emit.of.includes(column.name)),
  );
  return (value) => {
    const demanded = (by: readonly Event[]) => by.flatMap((event) => demand(event, column, value));
    const onUpdate = new Set(demanded(updating));
    return [...new Set(demanded(inserting))].filter((condition) => onUpdate.has(condition));
  };
}

/** The event's rules that the table's CHECKs do not say already. */
export function emissionRules(event: Event, table: Table, mesh: Mesh): readonly EmissionRule[] {
  const fields = leavesOf(event);
  if (fields.every(({ type }) => type !== undefined)) return [];
  return [...ownRules(event, table, mesh), ...fields.flatMap((field) => otherRules(field, table))];
}

function ownRules(event: Event, table: Table, mesh: Mesh): readonly EmissionRule[] {
  return table.columns.flatMap((column) => {
    const checked = tableConditions(column, table, mesh);
    const remaining = (value: string) => {
      const known = new Set(checked(value));
      return demand(event, column, value).filter((condition) => !known.has(condition));
    };
    const { length } = remaining("value");
    return Array.from({ length }, (_, at) => ({
      column,
      source: { kind: "column", column: column.name, member: undefined } as const,
      condition: (value: string) => remaining(value)[at] ?? "TRUE",
    }));
  });
}

/** Rules on what the row was, and on other rows: no CHECK of the table says them. */
function otherRules(field: Field, table: Table): readonly EmissionRule[] {
  const { source, schema } = field;
  if (source?.kind !== "old" && source?.kind !== "referenced") return [];
  const column =
    source.kind === "referenced" ? source.column : table.columns.find(({ name }) => name === source.column);
  if (column === undefined || !hasRules(field, column)) return [];
  const said = (value: string) => conditionsOf(translateSchema(schema, column, value), value);
  return said("value").map((_, at) => ({ column, source, condition: (value) => said(value)[at] ?? "TRUE" }));
}

/** Whether rows that PostgreSQL lets pass may still break the event's schema. */
export function isBeyondSql(event: Event, table: Table): boolean {
  return leavesOf(event).some((field) => {
    const { source, schema } = field;
    if (source === undefined || !("column" in source)) return false;
    const column =
      source.kind === "referenced" ? source.column : table.columns.find(({ name }) => name === source.column);
    if (column === undefined || !hasRules(field, column)) return false;
    return !translateSchema(schema, column, "value").exact;
  });
}

function demand(event: Event, column: Column, value: string): readonly string[] {
  const conditions = rulesOn(column, event).flatMap(({ schema }) =>
    conditionsOf(translateSchema(schema, column, value), value),
  );
  return [...new Set(conditions)];
}

function rulesOn(column: Column, event: Event): readonly Field[] {
  return leavesOf(event).filter((field) => showsColumn(field, column.name) && hasRules(field, column));
}

/** Of a shorthand type the column's own type says it all; in a json column a list may still be something else. */
export function hasRules({ type, each }: Field, column: Pick<Column, "type">): boolean {
  return type === undefined && !(each !== undefined && kindOf(column.type) === "list");
}

/** A schema that no value of the column meets leaves NULL, which is null in the message. */
function conditionsOf({ conditions, never }: Translation, value: string): readonly string[] {
  return never ? [`${value} IS NULL`] : conditions;
}
