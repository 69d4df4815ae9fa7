import { kindOf } from "@meshwright/runtime/column-types";
import type { Report } from "../../diagnostics/report.js";
import type { EmitNode } from "../../language/grammar/subject-grammar.js";
import type { EventSymbol, TableSymbol } from "../../language/symbols.js";
import { checkColumnCondition } from "../column-conditions.js";
import type { Rule } from "../rule.js";
import { reportMissingColumn } from "../table-lookup.js";

/** An event follows from a change of a row, or from the moment that a column holds. */
export const checkTimedEvents: Rule = (program, report) => {
  for (const event of program.events) {
    const emit = event.node?.get.emit;
    if (emit === undefined) continue;
    checkTime(event, emit, report);
    if (event.table !== undefined) checkColumns(emit, event.table, report);
  }
};

function checkTime({ node }: EventSymbol, { get, keySpans }: EmitNode, report: Report): void {
  const span = keySpans.at ?? keySpans.table ?? node?.keySpans.emit;
  if (get.at === undefined) {
    if (get.on === undefined && span !== undefined) report("emit-without-time", span, {});
    if (get.unless !== undefined && get.on !== undefined)
      report("unless-without-at", keySpans.unless ?? get.on.span, {});
    return;
  }
  if (get.on !== undefined) report("on-and-at", get.at.span, {});
  const said = node?.get.change;
  if (said !== undefined && said.value !== "none")
    report("change-at-moment", said.span, { said: said.value });
}

function checkColumns({ get }: EmitNode, table: TableSymbol, report: Report): void {
  if (get.at !== undefined) {
    reportMissingColumn(get.at, table, report);
    const type = table.columns.get(get.at.value)?.type;
    if (type !== undefined && !["moment", "day"].includes(kindOf(type)))
      report("invalid-moment", get.at.span, { column: get.at.value, type });
  }
  for (const { name, node: condition } of get.unless?.entries ?? []) {
    reportMissingColumn(name, table, report);
    const column = table.columns.get(name.value);
    if (column !== undefined && condition !== undefined)
      checkColumnCondition(column, { name, condition }, report);
  }
}
