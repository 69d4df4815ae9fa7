import type { FieldNode } from "./grammar.js";
import type { Program } from "./program.js";
import type { EventSymbol, TableSymbol } from "./symbols.js";

/** The events whose fields are a table's columns: those it emits, or those that fill it. */
export function carriersOf(table: TableSymbol, program: Program): readonly EventSymbol[] {
  if (table.cacheOf !== undefined) return program.entities.get(table.cacheOf.text)?.events ?? [];
  return program.events.filter((event) => event.table === table);
}

/** Whether events carry the field as a decimal string. */
export function isDecimalText(field: FieldNode | undefined): boolean {
  return field?.kind === "choice" && field.value === "bigint" && !field.suffix.startsWith("[]");
}
