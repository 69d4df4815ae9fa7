import type { ColumnDefinition, TableDefinition } from "@meshwright/runtime";
import { kindOf } from "@meshwright/runtime/column-types";
import { relationOf } from "@meshwright/runtime/simulation";
import { escapeIdentifier as quote } from "pg";
import type { OwnedTable } from "./mesh.js";
import { VALUES, type Write } from "./plan.js";
import { keyParts, valueFor } from "./values.js";

/*
 * The values of one write, as its numbers say them.
 */

export function insertion(
  owned: OwnedTable,
  write: Pick<Write, "key" | "value" | "column">,
): [string, unknown[]] {
  const columns = owned.columns.filter(({ type, defaulted }) => !(defaulted && kindOf(type) === "moment"));
  const names = [...owned.key, ...columns].map(({ name }) => name);
  const key = keyParts(owned, write.key);
  const checked = new Map([...checkedValues(owned, key, write)].filter(([name]) => !owned.moments.has(name)));
  const values = [
    ...key,
    ...columns.map((column, index) => {
      const together = checked.get(column.name);
      return together === undefined
        ? valueFor(owned, column, (write.value + index * write.column) % VALUES)
        : together;
    }),
  ];
  const parameters = values.map((_, index) => `$${index + 1}`).join(", ");
  return [
    `INSERT INTO ${relationOf(owned.table)} (${names.map(quote).join(", ")}) VALUES (${parameters})`,
    values,
  ];
}

/** By column that a CHECK names: one of the values that its CHECKs take together. */
function checkedValues(
  { checked, key: keyColumns }: OwnedTable,
  key: readonly string[],
  { value, column }: Pick<Write, "value" | "column">,
): ReadonlyMap<string, string | null> {
  const { columns = [], rows = [] } = checked ?? {};
  const fitting = rows.filter((row) =>
    keyColumns.every(({ name }, index) => {
      const at = columns.indexOf(name);
      return at < 0 || row[at] === key[index];
    }),
  );
  const row = fitting[(value + column) % fitting.length] ?? [];
  return new Map(row.map((cell, index) => [columns[index] ?? "", cell]));
}

/** The column alone, or with all others that a CHECK ties to it. */
export function updatedValues(
  owned: OwnedTable,
  column: ColumnDefinition,
  { value, key }: Write,
): readonly (readonly [string, string | null])[] {
  const { columns = [], rows = [] } = owned.checked ?? {};
  const row = rows[(value + key) % rows.length];
  if (row === undefined || !columns.includes(column.name) || owned.moments.has(column.name))
    return [[column.name, valueFor(owned, column, value)]];
  const isWritten = (name: string) =>
    owned.columns.some((one) => one.name === name) && !owned.moments.has(name);
  return columns.flatMap((name, at) => (isWritten(name) ? [[name, row[at] ?? null] as const] : []));
}

/** What the column of soft deletions holds in a row that exists; empty: the table has none. */
export function livingValue({
  columns,
  softDelete,
}: TableDefinition): readonly (readonly [string, string | null])[] {
  return columns
    .filter(({ name }) => name === softDelete)
    .map(({ name, type }) => [name, kindOf(type) === "boolean" ? "false" : null]);
}
