import type { Report } from "../../diagnostics/report.js";
import { leavesOf } from "../../language/payload-leaves.js";
import type { EventSymbol, TableSymbol } from "../../language/symbols.js";
import { isOptional } from "../fields.js";
import type { Rule } from "../rule.js";
import { allTables } from "../table-lookup.js";

/** What exists is described, and what the mesh makes is decided: no table is both. */
export const checkExistingTables: Rule = (program, report) => {
  for (const { table } of allTables(program)) {
    if (table.existing) checkExisting(table, report);
    else checkMade(table, report);
  }
  for (const event of program.events) checkBackfill(event, report);
};

/** Creation hooks hear of earlier rows where a snapshot can make the event from such a row. */
function checkBackfill({ table, name, change, fields }: EventSymbol, report: Report): void {
  const said = table?.node?.keySpans.backfill;
  if (table === undefined || said === undefined || change !== "create" || !table.existing) return;
  for (const { name: field, node, source } of leavesOf(fields.values())) {
    if (node === undefined || isOptional(node) || source?.kind !== "referenced" || source.by === undefined)
      continue;
    const { by, column } = source;
    report("backfill-without-event", said, {
      table: table.name,
      event: name?.value ?? "",
      field,
      by,
      column,
    });
    return;
  }
}

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
