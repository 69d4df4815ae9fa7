import { kindOf, type ValueKind } from "@meshwright/runtime/column-types";
import type { Report } from "../../diagnostics/report.js";
import type { ScalarNode } from "../../language/node.js";
import type { ColumnSymbol } from "../../language/symbols.js";
import type { Rule } from "../rule.js";
import { reportMissingColumn } from "../table-lookup.js";
import { isValueOf } from "../values.js";

/** A `when` names a column of the emitting table and a value that it can hold. */
export const checkEmitConditions: Rule = (program, report) => {
  for (const { node, table, operations } of program.events) {
    if (table === undefined) continue;
    for (const { name, node: value } of node?.get.emit?.get.when?.entries ?? []) {
      reportMissingColumn(name, table, report);
      const column = table.columns.get(name.value);
      if (column?.key && operations.length > 0 && operations.every((operation) => operation === "update"))
        report("when-never-met", name.span, { column: column.name });
      else if (column !== undefined && value !== undefined) checkConditionValue(column, value, report);
    }
  }
};

/** Whether a value of mesh.yaml can be looked for in the column. */
const COMPARED: Readonly<Record<ValueKind, boolean>> = {
  text: true,
  uuid: true,
  "whole number": true,
  number: true,
  decimal: true,
  boolean: true,
  moment: true,
  day: true,
  bytes: false,
  document: false,
  list: false,
};

/** The value is one that the column can hold. */
export function checkConditionValue(
  { name, type, node }: ColumnSymbol,
  value: ScalarNode,
  report: Report,
): void {
  if (type === undefined) return;
  const oneOf = node?.get.one_of;
  const isAllowed =
    oneOf === undefined || oneOf.poisoned || oneOf.items.some((item) => item.value === value.value);
  if (COMPARED[kindOf(type)] && isValueOf(type, value.value, { allowsNow: false }) && isAllowed) return;
  const expected = oneOf === undefined ? type : oneOf.items.map((item) => item.value).join(", ");
  report("invalid-when", value.span, { column: name, value: value.text, expected });
}
