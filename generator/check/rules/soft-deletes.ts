import { kindOf } from "@meshwright/runtime/column-types";
import type { Report } from "../../diagnostics/report.js";
import { leavesOf } from "../../language/payload-leaves.js";
import type { Program } from "../../language/program.js";
import type { ColumnSymbol } from "../../language/symbols.js";
import { livingValue } from "../living-value.js";
import type { Rule } from "../rule.js";
import { allTables, reportMissingColumn } from "../table-lookup.js";

/** A row is softly deleted by a column that says nothing else, and that no new row has set. */
export const checkSoftDeletes: Rule = (program, report) => {
  for (const { table } of allTables(program)) {
    const { cacheOf, columns, node, softDelete } = table;
    if (softDelete === undefined) continue;
    if (cacheOf !== undefined) {
      const span = node?.keySpans.soft_delete ?? softDelete.span;
      report("soft-delete-of-copy", span, { table: table.name, entity: cacheOf.text });
      continue;
    }
    reportMissingColumn(softDelete, table, report);
    const column = columns.get(softDelete.value);
    const reason = column && unfitReason(column);
    if (reason !== undefined)
      report("invalid-soft-delete", softDelete.span, { column: softDelete.value, reason });
  }
  refuseInEvents(program, report);
};

/** No event shows it: each is of a row that lives, or of one as it was while it lived. */
function refuseInEvents({ events }: Program, report: Report): void {
  for (const { table, fields } of events)
    for (const { source } of leavesOf(fields.values())) {
      if (table === undefined || source === undefined || !("target" in source)) continue;
      if (source.of === table && source.column === table.softDelete?.value)
        report("soft-delete-in-event", source.span, {
          column: source.column,
          living: String(livingValue(table)),
        });
    }
}

function unfitReason({ type, nullable, node }: ColumnSymbol): string | undefined {
  if (type === undefined) return undefined;
  const { default: fallback, defaulted } = node?.get ?? {};
  switch (kindOf(type)) {
    case "moment":
      if (!nullable) return "it is never null";
      return fallback !== undefined || defaulted?.value === true
        ? "a row that names none would have a value"
        : undefined;
    case "boolean":
      if (fallback?.value === true) return "a row that names none would be deleted";
      return nullable || fallback !== undefined || defaulted?.value === true
        ? undefined
        : "a row that names none would be refused";
    default:
      return `it is ${type}`;
  }
}
