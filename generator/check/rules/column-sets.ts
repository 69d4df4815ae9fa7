import type { Rule } from "../rule.js";
import { allTables, reportColumns } from "../table-lookup.js";

/** `unique` and `indexes` name columns of their table, each once. */
export const checkColumnSets: Rule = (program, report) => {
  for (const { table } of allTables(program)) {
    const sets = [...(table.node?.get.unique?.items ?? []), ...(table.node?.get.indexes?.items ?? [])];
    for (const { items } of sets) {
      reportColumns(items, table, report);
    }
  }
};
