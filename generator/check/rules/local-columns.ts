import type { Report } from "../../diagnostics/report.js";
import type { Program } from "../../language/program.js";
import type { ColumnSymbol, TableSymbol } from "../../language/symbols.js";
import type { Rule } from "../rule.js";
import { allTables } from "../table-lookup.js";

/** A local column belongs to a copy, and each row can be made without it: events make the rows, and only hooks fill it. */
export const checkLocalColumns: Rule = (program, report) => {
  for (const { table } of allTables(program)) {
    for (const column of table.columns.values())
      if (column.local) checkColumn(table, column, program, report);
  }
};

function checkColumn(table: TableSymbol, column: ColumnSymbol, program: Program, report: Report): void {
  const { name, node, nullable } = column;
  const span = node?.keySpans.local ?? column.span;
  const fallback = node?.get.default;
  const event = carrierOf(table, name, program);
  if (table.cacheOf === undefined) report("local-outside-copy", span, { column: name, table: table.name });
  else if (column.key) report("local-key", span, { column: name });
  else if (event !== undefined) report("local-column-carried", span, { column: name, event });
  else if (!nullable && fallback === undefined && !column.poisoned)
    report("local-column-required", column.span, { column: name });
}

function carrierOf({ cacheOf }: TableSymbol, column: string, program: Program): string | undefined {
  const events = cacheOf === undefined ? [] : (program.entities.get(cacheOf.text)?.events ?? []);
  return events.find(({ fields, change }) => change !== "delete" && fields.has(column))?.name?.value;
}
