import type { Report } from "../../diagnostics/report.js";
import type { FieldSymbol, TableSymbol } from "../../language/symbols.js";
import { describeField, fieldFits, isOptional } from "../fields.js";
import type { Rule } from "../rule.js";
import { reportMissingColumn } from "../table-lookup.js";

/** What a table emits, its columns can fill. */
export const checkPayloadFields: Rule = (program, report) => {
  for (const event of program.events) {
    for (const field of event.fields.values()) {
      if (field.name === "metadata") {
        report("reserved-name", field.span, {
          name: field.name,
          use: "every event carries its metadata there",
        });
      } else if (event.table !== undefined && event.table.cacheOf === undefined) {
        checkField(field, event.table, report);
      }
    }
  }
};

function checkField(field: FieldSymbol, table: TableSymbol, report: Report): void {
  const column = table.columns.get(field.name);
  if (column === undefined) {
    reportMissingColumn({ value: field.name, span: field.span }, table, report);
    return;
  }
  if (field.node === undefined || column.type === undefined) return;
  const type = describeField(field.node);
  if (!fieldFits(field.node, column.type)) {
    report("field-type", field.node.span, { field: field.name, type, column: column.type });
  } else if (column.nullable && !isOptional(field.node)) {
    report("field-nullable", field.node.span, { field: field.name, type });
  }
}
