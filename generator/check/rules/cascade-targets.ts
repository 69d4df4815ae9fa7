import { factsOf, kindOf } from "@meshwright/runtime/column-types";
import { cascadeActions } from "@meshwright/runtime/vocabulary";
import type { Report } from "../../diagnostics/report.js";
import { targetOf } from "../../language/cascade-target.js";
import type { CascadeNode } from "../../language/grammar.js";
import type { Program } from "../../language/program.js";
import type { ColumnSymbol } from "../../language/symbols.js";
import type { Rule } from "../rule.js";
import { entityColumns, idType, reportMissingColumn, reportMissingTable } from "../table-lookup.js";

/** A rule names a column of a table that its service owns, which can hold the entity's id. */
export const checkCascadeTargets: Rule = (program, report) => {
  for (const rule of program.cascades) {
    const service = rule.get.service && program.services.get(rule.get.service.value);
    const target = targetOf(rule)?.column;
    if (service === undefined || target === undefined) continue;
    const { start } = target.span;
    const { table: tableName, column: columnName } = target.value;
    const tableSpan = { start, end: start + tableName.length };
    const columnSpan = { start: tableSpan.end + 1, end: target.span.end };
    const table = reportMissingTable({ value: tableName, span: tableSpan }, service, program, report);
    if (table === undefined) continue;
    if (table.cacheOf !== undefined) {
      report("cascade-on-cache", tableSpan, { table: table.name });
      continue;
    }
    reportMissingColumn({ value: columnName, span: columnSpan }, table, report);
    const column = table.columns.get(columnName);
    if (column !== undefined) checkColumn(column, rule, program, report);
  }
};

function checkColumn(column: ColumnSymbol, rule: CascadeNode, program: Program, report: Report): void {
  const { action, column: target } = targetOf(rule) ?? {};
  if (action === undefined || target === undefined) return;
  if (cascadeActions[action].needsNullable && !column.nullable) {
    report("set-null-on-not-null", target.span, { column: column.name });
  }
  const event = rule.get.on && program.subjects.get(rule.get.on.text);
  const known = event && idType(entityColumns(event));
  const expected = known ?? "text";
  const isKnown = known !== undefined;
  if (event === undefined || column.type === undefined) return;
  if (factsOf(column.type).key && (!isKnown || kindOf(column.type) === kindOf(expected))) return;
  report("cascade-type", target.span, {
    column: column.name,
    type: column.type,
    entity: event.entityName,
    idType: expected,
  });
}
