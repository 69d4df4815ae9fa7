import type { Condition, Table } from "./mesh.js";

/** Whether a row in which the column is left out meets the condition: by its default, or by null where it has none. */
export function meetsByDefault({ column, values, isNull }: Condition, { columns }: Table): boolean {
  const fallback = columns.find(({ name }) => name === column)?.default;
  if (isNull !== undefined) return isNull === (fallback === undefined);
  return fallback?.kind === "literal" && values.some((value) => String(value) === String(fallback.value));
}
