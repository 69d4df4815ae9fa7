import { kindOf } from "@meshwright/runtime/column-types";
import type { Report } from "../../diagnostics/report.js";
import { carriersOf, fieldsFor, fillingOf, sourceOf } from "../../language/carriers.js";
import type { ColumnConditionNode } from "../../language/grammar.js";
import type { Program } from "../../language/program.js";
import type { ColumnSymbol, EventSymbol, TableSymbol } from "../../language/symbols.js";
import { checkColumnCondition } from "../column-conditions.js";
import type { Rule } from "../rule.js";
import { allTables, reportMissingColumn } from "../table-lookup.js";

/**
 * The condition of a partial copy is one of columns that the owner fills, and each event that tells a part of it tells all: from
 * a part nobody knows whether a row enters.
 */
export const checkCacheConditions: Rule = (program, report) => {
  for (const { table } of allTables(program)) {
    const where = table.node?.get.where;
    if (where === undefined) continue;
    const keySpan = table.node?.keySpans.where;
    if (table.cacheOf === undefined && keySpan !== undefined)
      report("where-without-cache", keySpan, { table: table.name });
    if (table.cacheOf === undefined) continue;
    const events = carriersOf(table, program);
    const owned = sourceOf(events)?.columns;
    for (const { name, node: condition } of where.entries) {
      reportMissingColumn(name, table, report);
      const column = table.columns.get(name.value);
      if (column === undefined) continue;
      const source = owned?.get(fillingOf(column, events).column ?? column.name);
      const reason = unfitReason(column) ?? differenceReason({ column, source, condition });
      if (reason !== undefined) report("invalid-where", name.span, { column: name.value, reason });
      else if (condition !== undefined)
        checkColumnCondition(
          column.node?.get.one_of === undefined ? (source ?? column) : column,
          { name, condition },
          report,
        );
    }
    checkEvents(table, program, report);
  }
};

/** Why no copy can be partial by the column. */
function unfitReason({ key, local }: ColumnSymbol): string | undefined {
  if (key) return "it is the key";
  return local ? 'it is "local": its owner has no such column' : undefined;
}

/** Why the copy's column cannot be compared as its owner's is: one uuid, and one number, has several texts. */
function differenceReason({
  column,
  source,
  condition,
}: {
  readonly column: ColumnSymbol;
  readonly source: ColumnSymbol | undefined;
  readonly condition: ColumnConditionNode | undefined;
}): string | undefined {
  if (source?.type === undefined || column.type === undefined) return undefined;
  const [copied, owned] = [kindOf(column.type), kindOf(source.type)];
  if (copied === owned || (condition?.kind === "mapping" && owned !== "document")) return undefined;
  return `it is ${column.type}, and ${source.type} at its owner`;
}

function checkEvents(table: TableSymbol, program: Program, report: Report): void {
  const events = carriersOf(table, program);
  const filling = events.filter(({ change }) => change === "create" || change === "update");
  const condition = (table.node?.get.where?.entries ?? []).flatMap(({ name }) => {
    const column = table.columns.get(name.value);
    return column !== undefined && unfitReason(column) === undefined ? [name] : [];
  });
  const never = !filling.some((event) => event.change === "create" || mayEnterBy(table, event, program));
  for (const event of filling) {
    const name = event.name?.value;
    if (name === undefined) continue;
    const untold = condition.filter(({ value }) => !tells(table, value, program)(event));
    const [first] = untold;
    const tellsNone = untold.length === condition.length;
    if (first === undefined || (event.change === "update" && tellsNone && !never)) continue;
    const why = event.change === "create" ? "creation" : tellsNone ? "nothing" : "part";
    const column = table.columns.get(first.value);
    const field = column === undefined ? first.value : fillingOf(column, events).field;
    report("where-not-carried", first.span, { column: first.value, field, event: name, why });
  }
}

function conditionOf({ node }: TableSymbol) {
  return (node?.get.where?.entries ?? []).map(({ name }) => name);
}

export function isPartial(table: TableSymbol): boolean {
  return conditionOf(table).length > 0;
}

/** A row may enter the copy by this event: it tells the whole condition. */
export function mayEnterBy(table: TableSymbol, event: EventSymbol, program: Program): boolean {
  return conditionOf(table).every(({ value }) => tells(table, value, program)(event));
}

function tells(table: TableSymbol, name: string, program: Program): (event: EventSymbol) => boolean {
  const column = table.columns.get(name);
  if (column === undefined) return () => false;
  const fieldsOf = fieldsFor(column, table, program);
  return (event) => fieldsOf(event).length > 0;
}
