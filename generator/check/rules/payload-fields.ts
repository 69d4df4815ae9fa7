import type { Report } from "../../diagnostics/report.js";
import type { EventSymbol, FieldSymbol, TableSymbol } from "../../language/symbols.js";
import { wireName } from "../../vocabulary/namings.js";
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
        checkField(field, event, event.table, report);
      }
    }
    if (event.node?.keySpans.emit === undefined) refuseSources(event, report);
  }
};

/** Whoever publishes the event by hand, or elsewhere, fills its fields. */
function refuseSources({ node, name, subject }: EventSymbol, report: Report): void {
  for (const { node: field } of node?.get.payload?.entries ?? [])
    if (field?.kind === "mapping")
      report("from-without-emit", field.keySpans.from ?? field.span, { event: name?.value ?? subject.text });
}

function checkField(field: FieldSymbol, { service }: EventSymbol, table: TableSymbol, report: Report): void {
  if (field.source === undefined) return;
  const { column: source, span } = field.source;
  const naming = service?.naming ?? "columns";
  const isOwn = span === field.span;
  const column = table.columns.get(source);
  if (column === undefined) {
    reportMissingColumn({ value: source, span }, table, report, isOwn ? naming : "columns");
    return;
  }
  const called = wireName(source, naming);
  if (isOwn && called !== field.name) {
    report("field-naming", span, { field: field.name, called, service: service?.name ?? "" });
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
