import { kindOf, type ValueKind } from "@meshwright/runtime/column-types";
import { leavesOf } from "../../model/field-leaves.js";
import { meetsByDefault } from "../../model/meets-by-default.js";
import type { Column, Condition, Event, JsonSchema, JsonValue, Table } from "../../model/mesh.js";
import { hasRules } from "../../rules/payload-conditions.js";

/*
 * What the payloads of a table's events demand of the values that a row is written with, as a JSON Schema over
 * column values. PostgreSQL asks the same of the row where it can; this asks all of it, nested documents included.
 */

export type Writing = "create" | "patch";

export interface RulesOptions {
  readonly table: Table;
  readonly events: readonly Event[];
  readonly writing: Writing;
  /** How the values are called that it asks about; undefined: as the columns. */
  readonly called?: ((column: Column) => string) | undefined;
}

/** undefined where the columns' own types say it all. */
export function rulesSchema(options: RulesOptions): JsonSchema | undefined {
  const { table, events, writing, called = ({ name }) => name } = options;
  const names = new Map(table.columns.map((column) => [column.name, called(column)]));
  const context = { table, writing, nameOf: (column: string) => names.get(column) ?? column };
  const operation = writing === "create" ? "insert" : "update";
  const emitted = events.filter(
    ({ emit }) => emit?.table === table.name && emit.on.includes(operation) && table.cache === undefined,
  );
  const demands = emitted.flatMap((event) => {
    const properties = demandedProperties(event, context);
    return Object.keys(properties).length === 0 ? [] : [meant(event, { properties }, context)];
  });
  const [only] = demands;
  return demands.length > 1 ? { allOf: demands } : only;
}

interface Context extends Pick<RulesOptions, "table" | "writing"> {
  readonly nameOf: (column: string) => string;
}

/** By kind: whether a value stands in the message as it was in the request. */
const AS_WRITTEN: Readonly<Record<ValueKind, boolean>> = {
  text: true,
  "whole number": true,
  number: true,
  boolean: true,
  document: true,
  day: true,
  bytes: true,
  list: true,
  uuid: false,
  decimal: false,
  moment: false,
};

function demandedProperties(event: Event, { table, nameOf }: Context): Record<string, JsonSchema> {
  const columns = new Map(table.columns.map((column) => [column.name, column]));
  const byColumn = new Map<string, readonly JsonSchema[]>();
  for (const field of leavesOf(event)) {
    const column = field.source?.kind === "column" ? columns.get(field.source.column) : undefined;
    if (column !== undefined && hasRules(field, column) && AS_WRITTEN[kindOf(column.type)])
      byColumn.set(column.name, [...(byColumn.get(column.name) ?? []), field.schema]);
  }
  return Object.fromEntries(
    [...byColumn].map(([column, [only = {}, ...others]]) => [
      nameOf(column),
      others.length === 0 ? only : { allOf: [only, ...others] },
    ]),
  );
}

/** The rules count only where the written values make the row mean the event. A column that is left out may get that value by its default. */
function meant(event: Event, rule: JsonSchema, { table, writing, nameOf }: Context): JsonSchema {
  const { when = [], of = [] } = event.emit ?? {};
  const changing = writing === "patch" ? of : [];
  if (when.length + changing.length === 0) return rule;
  const properties = Object.fromEntries(
    when.map((condition): [string, JsonValue] => [nameOf(condition.column), valueSchema(condition)]),
  );
  const said = when.filter((condition) => {
    if (writing === "patch") return true;
    return !meetsByDefault(condition, table);
  });
  const changes = changing.map((column) => ({ required: [nameOf(column)] }));
  return {
    if: {
      not: {
        properties,
        required: said.map(({ column }) => nameOf(column)),
        ...(changes.length > 0 && { anyOf: changes }),
      },
    },
    else: rule,
  };
}

function valueSchema({ values, isNull }: Condition): { readonly [keyword: string]: JsonValue } {
  if (isNull !== undefined) return isNull ? { type: "null" } : { not: { type: "null" } };
  const [first, ...others] = values;
  return others.length === 0 && first !== undefined ? { const: first } : { enum: values };
}
