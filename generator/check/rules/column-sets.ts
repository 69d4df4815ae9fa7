import type { Rule } from "../rule.js";
import { allTables, reportMissingColumn } from "../table-lookup.js";

/** `unique` and `indexes` name columns of their table, each once. */
export const checkColumnSets: Rule = (program, report) => {
  for (const { table } of allTables(program)) {
    const sets = [...(table.node?.get.unique?.items ?? []), ...(table.node?.get.indexes?.items ?? [])];
    for (const { items } of sets) {
      items.forEach((column, index) => {
        reportMissingColumn(column, table, report);
        const first = items.findIndex((other) => other.value === column.value);
        if (first < index) report("repeated-column", column.span, { column: column.value });
      });
    }
  }
};
