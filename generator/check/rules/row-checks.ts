import type { Report } from "../../diagnostics/report.js";
import type { TextNode } from "../../language/node.js";
import { readCondition } from "../../language/row-condition.js";
import type { TableSymbol } from "../../language/symbols.js";
import type { Rule } from "../rule.js";
import { allTables, reportMissingColumn } from "../table-lookup.js";

/** A condition is SQL over columns of its table: one of its own column, or of several under `checks`. */
export const checkRowChecks: Rule = (program, report) => {
  for (const { table } of allTables(program)) {
    for (const { name, node } of table.columns.values()) {
      if (node?.get.check !== undefined) checkCondition(node.get.check, table, report, name);
    }
    for (const { node } of table.node?.get.checks?.entries ?? [])
      if (node !== undefined) checkCondition(node, table, report);
  }
};

/** `own`: the column whose condition it is. */
function checkCondition(
  { value, span }: TextNode<string>,
  table: TableSymbol,
  report: Report,
  own?: string,
): void {
  if (table.cacheOf !== undefined) {
    report("check-on-copy", span, { table: table.name });
    return;
  }
  const condition = readCondition(value);
  if (!condition.ok) {
    report("invalid-check", span, { condition: value, reason: condition.reason });
    return;
  }
  const others = condition.columns.filter((column) => column !== own);
  for (const column of others) reportMissingColumn({ value: column, span }, table, report);
  const [other] = others.filter((column) => table.columns.has(column));
  if (own !== undefined && other !== undefined) report("check-of-several", span, { column: own, other });
}
