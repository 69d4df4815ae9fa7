import { type ColumnType, factsOf, kindOf, type ValueKind } from "@meshwright/runtime/column-types";
import { isInt64 } from "@meshwright/runtime/int64";
import type { Report } from "../../diagnostics/report.js";
import type { ColumnSymbol } from "../../language/symbols.js";
import { drawnBy } from "../../vocabulary/made-keys.js";
import { distinct } from "../repeats.js";
import type { Rule } from "../rule.js";
import { allTables } from "../table-lookup.js";
import { isValueOf } from "../values.js";

/** A default is a value of its column, and `one_of` lists values of it. */
export const checkColumnValues: Rule = (program, report) => {
  for (const { table } of allTables(program)) {
    for (const column of table.columns.values()) checkColumn(column, report);
  }
};

function checkColumn({ name, type, node }: ColumnSymbol, report: Report): void {
  if (node === undefined || type === undefined) return;
  const { default: fallback, one_of: oneOf } = node.get;
  if (oneOf !== undefined && !LISTED[kindOf(type)]) {
    report("one-of-type", oneOf.span, { column: name, type });
    return;
  }
  for (const { value, text, span } of distinct(oneOf?.items ?? [], report))
    if (!isListable(type, value)) report("invalid-one-of", span, { value: text, type });
  if (fallback === undefined) return;
  if (drawnBy(type, fallback.value) !== undefined) return;
  if (!isValueOf(type, fallback.value, { allowsNow: true })) {
    report("invalid-default", fallback.span, { value: fallback.text, type });
  } else if (oneOf !== undefined) {
    const values = oneOf.items.map((item) => item.text);
    if (!values.includes(fallback.text))
      report("default-not-allowed", fallback.span, { value: fallback.text, values });
  }
}

/** Whether `one_of` can list values of the kind. */
const LISTED: Readonly<Record<ValueKind, boolean>> = {
  text: true,
  "whole number": true,
  decimal: true,
  uuid: false,
  number: false,
  boolean: false,
  moment: false,
  day: false,
  bytes: false,
  document: false,
  list: false,
};

/** A value in the one form that a row shows it in: of a decimal that has all digits of the scale. */
function isListable(type: ColumnType, value: string | number | boolean): boolean {
  const { kind, scale } = factsOf(type);
  if (kind === "whole number" && typeof value !== "number" && !isInt64(String(value))) return false;
  if (!isValueOf(type, value, { allowsNow: false })) return false;
  if (kind !== "decimal") return true;
  const fraction = typeof value === "string" ? (value.split(".")[1] ?? "") : undefined;
  return scale !== undefined && fraction?.length === scale && !/^-0[.0]*$/.test(String(value));
}

/** A default that is a value, and hardly the one that was meant. */
export const adviseDefaults: Rule = (program, report) => {
  for (const { table } of allTables(program)) {
    for (const { name, type, node } of table.columns.values()) {
      const isKey = table.key.length === 1 && table.key[0]?.name === name;
      const fallback = node?.get.default;
      if (fallback === undefined || type === undefined || drawnBy(type, fallback.value) !== undefined)
        continue;
      if (kindOf(type) === "text" && fallback.value === "now" && node?.get.one_of === undefined)
        report("default-now-as-text", fallback.span, { column: name });
      else if (
        (isKey || node?.get.unique?.value === true) &&
        !(kindOf(type) !== "text" && fallback.value === "now")
      )
        report("default-once", fallback.span, { column: name, value: fallback.text, isKey });
    }
  }
};
