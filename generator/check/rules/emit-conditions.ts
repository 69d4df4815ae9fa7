import { kindOf, type ValueKind } from "@meshwright/runtime/column-types";
import type { Report } from "../../diagnostics/report.js";
import type { ColumnConditionNode } from "../../language/grammar.js";
import type { ScalarNode, TextNode } from "../../language/node.js";
import type { ColumnSymbol, EventSymbol, TableSymbol } from "../../language/symbols.js";
import type { Rule } from "../rule.js";
import { reportMissingColumn } from "../table-lookup.js";
import { isValueOf } from "../values.js";

/** `when` and `of` name columns of the emitting table, `when` with a value that they can hold. */
export const checkEmitConditions: Rule = (program, report) => {
  for (const event of program.events) {
    if (event.table === undefined) continue;
    checkOf(event, event.table, report);
    checkWhen(event, event.table, report);
  }
};

function checkOf({ node, operations }: EventSymbol, table: TableSymbol, report: Report): void {
  const emit = node?.get.emit;
  const of = emit?.get.of;
  if (of === undefined) return;
  if (operations.length > 0 && !operations.includes("update"))
    report("of-without-update", emit?.keySpans.of ?? of.span, {});
  for (const [index, name] of of.items.entries()) {
    const first = of.items.find(({ value }) => value === name.value);
    if (first !== undefined && first !== of.items[index])
      report("repeated-value", name.span, { value: name.value }, { first: first.span });
    else if (table.columns.get(name.value)?.key) report("when-never-met", name.span, { column: name.value });
    else reportMissingColumn(name, table, report);
  }
}

function checkWhen({ node, operations }: EventSymbol, table: TableSymbol, report: Report): void {
  const isUpdate = operations.length > 0 && operations.every((operation) => operation === "update");
  for (const { name, node: condition } of node?.get.emit?.get.when?.entries ?? []) {
    reportMissingColumn(name, table, report);
    const column = table.columns.get(name.value);
    if (column?.key && isUpdate) report("when-never-met", name.span, { column: column.name });
    else if (column !== undefined && condition !== undefined)
      checkColumnCondition(column, { name, condition }, report);
  }
}

export function checkColumnCondition(
  column: ColumnSymbol,
  { name, condition }: { readonly name: TextNode<string>; readonly condition: ColumnConditionNode },
  report: Report,
): void {
  switch (condition.kind) {
    case "scalar":
      checkConditionValue(column, condition, report);
      return;
    case "list":
      for (const item of condition.items) {
        const first = condition.items.find(({ value }) => value === item.value);
        if (first !== undefined && first !== item)
          report("repeated-value", item.span, { value: item.text }, { first: first.span });
        else checkConditionValue(column, item, report);
      }
      return;
    case "mapping":
      if (!column.nullable && !column.poisoned)
        report("when-not-nullable", name.span, { column: column.name });
      return;
    default:
      condition satisfies never;
  }
}

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
