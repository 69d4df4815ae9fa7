import type { Report } from "../../diagnostics/report.js";
import type { TableSymbol } from "../../language/symbols.js";
import type { Rule } from "../rule.js";
import { allTables } from "../table-lookup.js";

/** What exists is described, and what the mesh makes is decided: no table is both. */
export const checkExistingTables: Rule = (program, report) => {
  for (const { table } of allTables(program)) {
    if (table.existing) checkExisting(table, report);
    else checkMade(table, report);
  }
};

function checkExisting({ name, node, cacheOf, columns }: TableSymbol, report: Report): void {
  const said = node?.keySpans ?? {};
  if (cacheOf !== undefined && said.backfill !== undefined)
    report("backfill-of-copy", said.backfill, { table: name, entity: cacheOf.text });
  if (said.renamed_from !== undefined)
    report("not-of-existing", said.renamed_from, { key: "renamed_from", table: name });
  for (const { node: column } of columns.values()) {
    for (const key of ["default", "identity", "renamed_from"] as const) {
      const span = column?.keySpans[key];
      if (span !== undefined) report("not-of-existing", span, { key, table: name });
    }
  }
}

function checkMade({ name, node, columns }: TableSymbol, report: Report): void {
  for (const key of ["table", "backfill"] as const) {
    const span = node?.keySpans[key];
    if (span !== undefined) report("only-of-existing", span, { key, table: name });
  }
  for (const { node: column } of columns.values()) {
    const span = column?.keySpans.defaulted;
    if (span !== undefined) report("only-of-existing", span, { key: "defaulted", table: name });
  }
}
