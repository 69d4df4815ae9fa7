import type { Report } from "../../diagnostics/report.js";
import type { TextNode } from "../../language/node.js";
import type { EventSymbol, TableSymbol } from "../../language/symbols.js";
import { checkColumnCondition } from "../column-conditions.js";
import { distinct } from "../repeats.js";
import type { Rule } from "../rule.js";
import { reportMissingColumn } from "../table-lookup.js";

/** `when` and `of` name columns of the emitting table, `when` with a value that they can hold. */
export const checkEmitConditions: Rule = (program, report) => {
  for (const event of program.events) {
    if (event.table === undefined) continue;
    checkOf(event, event.table, report);
    checkWhen(event, event.table, report);
  }
};

function checkOf({ node, operations }: EventSymbol, table: TableSymbol, report: Report): void {
  const emit = node?.get.emit;
  const of = emit?.get.of;
  if (of === undefined) return;
  if ((operations.length > 0 && !operations.includes("update")) || emit?.get.at !== undefined)
    report("of-without-update", emit?.keySpans.of ?? of.span, {});
  for (const name of distinct(of.items, report))
    if (!reportNeverMet(name, table, report)) reportMissingColumn(name, table, report);
}

/** Whether no update that is one to the mesh gives the column another value. */
function reportNeverMet(
  { value: column, span }: TextNode<string>,
  { columns, softDelete }: TableSymbol,
  report: Report,
): boolean {
  const isKey = columns.get(column)?.key === true;
  if (!isKey && softDelete?.value !== column) return false;
  report("when-never-met", span, { column, why: isKey ? "key" : "soft delete" });
  return true;
}

function checkWhen({ node, operations }: EventSymbol, table: TableSymbol, report: Report): void {
  const isUpdate = operations.length > 0 && operations.every((operation) => operation === "update");
  for (const { name, node: condition } of node?.get.emit?.get.when?.entries ?? []) {
    reportMissingColumn(name, table, report);
    const column = table.columns.get(name.value);
    if (isUpdate && reportNeverMet(name, table, report)) continue;
    if (column !== undefined && condition !== undefined)
      checkColumnCondition(column, { name, condition }, report);
  }
}
