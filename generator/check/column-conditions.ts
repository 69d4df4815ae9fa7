import { type ColumnType, kindOf } from "@meshwright/runtime/column-types";
import type { Report } from "../diagnostics/report.js";
import type { ColumnConditionNode } from "../language/grammar.js";
import type { ScalarNode, TextNode } from "../language/node.js";
import type { ColumnSymbol } from "../language/symbols.js";
import { distinct } from "./repeats.js";
import { isValueOf } from "./values.js";

/*
 * What `when` of an event and `where` of a copy say of one column.
 */

/** Whether a value of mesh.yaml can be looked for in rows and messages alike. */
function isCompared(type: ColumnType): boolean {
  const kind = kindOf(type);
  switch (kind) {
    case "text":
    case "uuid":
    case "whole number":
    case "number":
    case "decimal":
    case "boolean":
    case "moment":
    case "day":
      return true;
    case "bytes":
    case "document":
    case "list":
      return false;
    default:
      return kind satisfies never;
  }
}

/** The column may come to hold what the condition says. */
export function checkColumnCondition(
  column: ColumnSymbol,
  { name, condition }: { readonly name: TextNode<string>; readonly condition: ColumnConditionNode },
  report: Report,
): void {
  const { name: columnName, type, nullable } = column;
  if (condition.kind !== "mapping" && type !== undefined && !isCompared(type)) {
    report("uncomparable-condition", name.span, { column: columnName, type });
    return;
  }
  switch (condition.kind) {
    case "scalar":
      checkConditionValue(column, condition, report);
      return;
    case "list":
      for (const item of distinct(condition.items, report)) checkConditionValue(column, item, report);
      if (holdsAll(column, condition.items))
        report("idle-condition", name.span, {
          column: columnName,
          holds: "always",
          why: "it lists every value that the column has",
        });
      return;
    case "mapping":
      // JSON has a null of its own.
      if (!nullable && (type === undefined || kindOf(type) !== "document"))
        report("condition-not-nullable", name.span, { column: columnName });
      return;
    default:
      condition satisfies never;
  }
}

function holdsAll({ type, nullable, node }: ColumnSymbol, items: readonly ScalarNode[]): boolean {
  if (nullable || type === undefined) return false;
  const all = kindOf(type) === "boolean" ? [true, false] : node?.get.one_of?.items.map(({ value }) => value);
  return all?.every((value) => items.some((item) => item.value === value)) === true;
}

/** The value is one that the column can hold. */
function checkConditionValue(column: ColumnSymbol, value: ScalarNode, report: Report): void {
  const expected = refusesValue(column, value.value);
  if (expected !== undefined)
    report("invalid-condition", value.span, { column: column.name, value: value.text, expected });
}

/** What the column holds, where it can never hold the value: its type, or the values of its `one_of`. */
export function refusesValue(
  { type, node }: ColumnSymbol,
  value: string | number | boolean,
): string | undefined {
  if (type === undefined) return undefined;
  const oneOf = node?.get.one_of;
  const isAllowed = oneOf === undefined || oneOf.items.some((item) => item.value === value);
  if (isValueOf(type, value, { allowsNow: false }) && isAllowed) return undefined;
  return oneOf === undefined ? type : oneOf.items.map((item) => item.value).join(", ");
}
