import type { Report } from "../../diagnostics/report.js";
import { carriersOf, fieldsFor } from "../../language/carriers.js";
import type { Program } from "../../language/program.js";
import type { ColumnSymbol, EventSymbol, FieldSymbol, TableSymbol } from "../../language/symbols.js";
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
  const event = column.from === undefined ? carrierOf(table, column, program) : undefined;
  if (table.cacheOf === undefined) report("local-outside-copy", span, { column: name, table: table.name });
  else if (column.key) report("local-key", span, { column: name });
  else if (event !== undefined) report("local-column-carried", span, { column: name, event });
  else if (!nullable && fallback === undefined)
    report("local-column-required", column.span, { column: name });
}

function carrierOf(table: TableSymbol, column: ColumnSymbol, program: Program): string | undefined {
  if (table.cacheOf === undefined) return undefined;
  const fieldsOf = fieldsFor(column, table, program);
  // What no snapshot has, a hook may keep.
  const fills = ({ source }: FieldSymbol) => source === undefined || source.kind === "column";
  const carries = (event: EventSymbol) => event.change !== "delete" && fieldsOf(event).some(fills);
  return carriersOf(table, program).find(carries)?.name?.value;
}
