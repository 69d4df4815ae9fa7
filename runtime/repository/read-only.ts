import type { TableDefinition } from "../definition/table-definition.js";

/** A copy, which its events write, or a view, which nobody does. */
export function isReadOnly({ cacheOf, view }: Pick<TableDefinition, "cacheOf" | "view">): boolean {
  return cacheOf !== undefined || view === true;
}
