import type { Report } from "../../diagnostics/report.js";
import type { ColumnSymbol } from "../../language/program.js";
import type { ColumnType } from "../../language/terms.js";
import type { Rule } from "../rule.js";
import { allTables } from "../tables.js";
import { familyOf } from "../types.js";

/** A default is a value of its column, and `one_of` lists values of a text column. */
export const checkColumnValues: Rule = (program, report) => {
  for (const { table } of allTables(program)) {
    for (const column of table.columns.values()) checkColumn(column, report);
  }
};

function checkColumn({ name, type, node }: ColumnSymbol, report: Report): void {
  if (node === undefined || type === undefined) return;
  const { default: fallback, one_of: oneOf } = node.get;
  if (oneOf !== undefined && familyOf(type) !== "text") {
    report("one-of-not-text", oneOf.span, { column: name, type });
    return;
  }
  if (fallback === undefined) return;
  if (!isValueOf(type, fallback.value, { allowsNow: true })) {
    report("invalid-default", fallback.span, { value: fallback.text, type });
  } else if (oneOf !== undefined && !oneOf.poisoned) {
    const values = oneOf.items.map((item) => item.value);
    if (!values.includes(fallback.text))
      report("default-not-allowed", fallback.span, { value: fallback.text, values });
  }
}

const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const timestampForm = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:?\d{2})?)?$/;
const largestInteger = 2 ** 31 - 1;

export function isValueOf(
  type: ColumnType,
  value: string | number | boolean,
  { allowsNow }: { readonly allowsNow: boolean },
): boolean {
  switch (type) {
    case "nanoid":
    case "text":
      return typeof value === "string";
    case "uuid":
      return typeof value === "string" && uuidForm.test(value);
    case "integer":
      return Number.isInteger(value) && Math.abs(Number(value)) <= largestInteger;
    case "bigint":
      return Number.isSafeInteger(value);
    case "number":
      return typeof value === "number" && Number.isFinite(value);
    case "boolean":
      return typeof value === "boolean";
    case "timestamp":
      if (value === "now") return allowsNow;
      return typeof value === "string" && timestampForm.test(value) && !Number.isNaN(Date.parse(value));
    case "json":
      return typeof value !== "string" || isJson(value);
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (cause) {
    if (cause instanceof SyntaxError) return false;
    throw cause;
  }
}
