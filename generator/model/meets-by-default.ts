import { comparableText, isNullLike } from "@meshwright/runtime/comparable";
import type { Condition, Table } from "./mesh.js";

/** Whether a row in which the column is left out meets the condition: by its default, or by null where it has none. */
export function meetsByDefault({ column: name, values, isNull }: Condition, { columns }: Table): boolean {
  const column = columns.find((one) => one.name === name);
  const fallback = column?.default;
  const literal = fallback?.kind === "literal" ? fallback.value : undefined;
  if (column === undefined) return false;
  if (isNull !== undefined) return isNull === (fallback === undefined || isNullLike(column.type, literal));
  const texts = values.map((value) => comparableText(column.type, value));
  return literal !== undefined && texts.includes(comparableText(column.type, literal));
}
