import { kindOf } from "@meshwright/runtime/column-types";
import type { Report } from "../../diagnostics/report.js";
import { isNested, mayLack } from "../../language/bind/bind-payload.js";
import { leavesOf } from "../../language/payload-leaves.js";
import { describeFound } from "../../language/read.js";
import type {
  ColumnSource,
  ColumnSymbol,
  EventSymbol,
  FieldSymbol,
  TableSymbol,
} from "../../language/symbols.js";
import { wireName } from "../../vocabulary/namings.js";
import { refusesValue } from "../column-conditions.js";
import { describeField, fieldFits, isOptional } from "../fields.js";
import type { Rule } from "../rule.js";
import { reportMissingColumn } from "../table-lookup.js";

/** What a table emits, its columns can fill. */
export const checkPayloadFields: Rule = (program, report) => {
  for (const event of program.events) {
    const metadata = event.fields.get("metadata");
    if (metadata !== undefined)
      report("reserved-name", metadata.span, {
        name: metadata.name,
        use: "every event carries its metadata there",
      });
    const others = [...event.fields.values()].filter((field) => field !== metadata);
    if (event.table !== undefined && event.table.cacheOf === undefined)
      for (const field of leavesOf(others)) checkField(field, { ...event, table: event.table }, report);
    if (event.node?.keySpans.emit === undefined) refuseSources(event, report);
  }
};

/** Whoever publishes the event by hand, or elsewhere, fills its fields. */
function refuseSources({ node, name, subject }: EventSymbol, report: Report): void {
  for (const { node: field } of node?.get.payload?.entries ?? []) {
    if (field?.kind !== "mapping") continue;
    const span = isNested(field) ? field.keySpans.fields : field.keySpans.from;
    report("from-without-emit", span ?? field.span, { event: name?.value ?? subject.text });
  }
}

type EmittedEvent = EventSymbol & { readonly table: TableSymbol };

function checkField(field: FieldSymbol, event: EmittedEvent, report: Report): void {
  const { source } = field;
  if (source === undefined || !("target" in source) || !isReachable(source, event, report)) return;
  const { target, span, of } = source;
  const naming = event.service?.naming ?? "columns";
  const isOwn = span === field.span;
  if (target === undefined) {
    if (of !== undefined)
      reportMissingColumn(
        { value: source.column, span, within: (name) => pathOf({ ...source, column: name }) },
        of,
        report,
        isOwn ? naming : "columns",
      );
    return;
  }
  const called = wireName(source.column, naming);
  if (isOwn && called !== field.name) {
    report("field-naming", span, { field: field.name, called, service: event.service?.name ?? "" });
    return;
  }
  if (field.node === undefined || target.type === undefined) return;
  const type = describeField(field.node);
  if (!fieldFits(field.node, target.type)) {
    report("field-type", field.node.span, { field: field.name, type, column: target.type });
  } else if (!isOptional(field.node) && lacks(source, event)) {
    report("field-nullable", field.node.span, { field: field.name, type, why: whyLacking(source) });
  } else refuseConstant(field, target, report);
}

/** A constant that is a rule on a column: one that the column never holds would refuse every row. */
function refuseConstant({ name, node }: FieldSymbol, column: ColumnSymbol, report: Report): void {
  if (node?.kind !== "open") return;
  const constant = node.value.entries.find(({ key }) => key === "const")?.value;
  if (constant === undefined || column.type === undefined || kindOf(column.type) === "document") return;
  if (constant.kind === "list" && kindOf(column.type) === "list") return;
  const value = constant.kind === "scalar" ? constant.value : null;
  const expected = value === null ? column.type : refusesValue(column, value);
  if (expected !== undefined)
    report("constant-never-held", constant.span, {
      field: name,
      column: column.name,
      value: constant.kind === "scalar" ? constant.text : describeFound(constant),
      expected,
    });
}

/** As it is written. */
function pathOf({ kind, column, by }: ColumnSource): string {
  if (kind === "column") return column;
  return `${kind === "old" ? kind : by}.${column}`;
}

function lacks(source: ColumnSource, { table, operations }: EmittedEvent): boolean {
  return mayLack(source, { table, mayInsert: operations.includes("insert") });
}

function whyLacking({ kind, target, by }: ColumnSource): string {
  if (target?.nullable === true) return "its column may be null";
  return kind === "old" ? "a row that is inserted was nothing before" : `"${by}" may be null`;
}

/** Whether there is a row before, or another row, whose column it could show. */
function isReachable(
  source: ColumnSource,
  { table, operations, node }: EmittedEvent,
  report: Report,
): boolean {
  const atMoment = node?.get.emit?.get.at !== undefined;
  const { kind, by, span, column } = source;
  switch (kind) {
    case "column":
      return true;
    case "old":
      if (operations.includes("update") || (operations.length === 0 && !atMoment)) return true;
      report("old-without-update", span, {
        column,
        when: atMoment ? "moment" : operations.includes("delete") ? "delete" : "insert",
      });
      return false;
    case "referenced": {
      const reference = table.columns.get(by ?? "");
      if (reference === undefined) {
        const within = (name: string) => pathOf({ ...source, by: name });
        reportMissingColumn({ value: by ?? "", span, within }, table, report);
        return false;
      }
      if (reference.node?.get.references === undefined) {
        report("no-reference", span, { column: by ?? "", table: table.name, wanted: column });
        return false;
      }
      if (operations.includes("delete")) report("referenced-on-delete", span, { column: by ?? "" });
      return !operations.includes("delete");
    }
    default:
      return kind satisfies never;
  }
}
