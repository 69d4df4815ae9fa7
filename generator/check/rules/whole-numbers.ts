import { kindOf } from "@meshwright/runtime/column-types";
import type { Report } from "../../diagnostics/report.js";
import { carriersOf, fieldsFor, isDecimalText } from "../../language/carriers.js";
import type { Program } from "../../language/program.js";
import type { ColumnSymbol, EventSymbol, FieldSymbol, TableSymbol } from "../../language/symbols.js";
import { describeField } from "../fields.js";
import type { Rule } from "../rule.js";
import { allTables } from "../table-lookup.js";

/** A whole number has one form on the wire: a JSON number in all events of its column, or a decimal string in all. */
export const checkWholeNumbers: Rule = (program, report) => {
  const reported = new Set<FieldSymbol>();
  for (const { table } of allTables(program)) {
    for (const column of table.columns.values()) {
      if (column.type === undefined || kindOf(column.type) !== "whole number") continue;
      const mixed = firstMixed(column, table, program);
      if (mixed === undefined || reported.has(mixed.field)) continue;
      reported.add(mixed.field);
      reportMixed(mixed, column, report);
    }
  }
};

interface Mixed {
  readonly field: FieldSymbol;
  /** The first event that carries the column, in the other form. */
  readonly other: EventSymbol;
  readonly otherField: FieldSymbol;
}

function firstMixed(column: ColumnSymbol, table: TableSymbol, program: Program): Mixed | undefined {
  const fieldsOf = fieldsFor(column, table, program);
  const carried = carriersOf(table, program).flatMap((event) =>
    fieldsOf(event).flatMap((field) => (field.node === undefined ? [] : [{ event, field }])),
  );
  const [first] = carried;
  if (first === undefined) return undefined;
  const isText = isDecimalText(first.field.node);
  const mixed = carried.find(({ field }) => isDecimalText(field.node) !== isText);
  return mixed && { field: mixed.field, other: first.event, otherField: first.field };
}

function reportMixed({ field, other, otherField }: Mixed, column: ColumnSymbol, report: Report): void {
  if (field.node === undefined || otherField.node === undefined) return;
  report("mixed-whole-numbers", field.node.span, {
    column: column.name,
    type: describeField(field.node),
    event: other.name?.value ?? other.subject.text,
    other: describeField(otherField.node),
  });
}
