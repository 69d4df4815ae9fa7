import { changes } from "@meshwright/runtime/vocabulary";
import type { Column, Subscription } from "../model/mesh.js";
import type { Flow } from "./flow.js";
import type { ColumnPart, FieldPart } from "./part.js";

export interface FilledColumn {
  readonly column: ColumnPart;
  /** The copy is partial by it. */
  readonly isDeciding: boolean;
}

/** The columns of the copy that a consumer keeps which the field fills. */
export function columnsFilledBy(
  flow: Flow,
  { service: { database }, consumer: { cache } }: Subscription,
  { event, field }: Pick<FieldPart, "event" | "field">,
): readonly FilledColumn[] {
  if (cache === undefined || database === undefined || !changes[flow.event(event).change].showsRow) return [];
  const table = flow.table({ database, table: cache });
  const deciding = (table.cache?.where ?? []).map(({ column }) => column);
  return table.columns
    .filter((column) => column.local === undefined && fieldFilling(column) === field)
    .map(({ name }) => ({
      column: { kind: "column", database, table: cache, column: name },
      isDeciding: deciding.includes(name),
    }));
}

/** The field of an event that fills a column of a copy. */
export function fieldFilling({ name, filledBy }: Column): string {
  return filledBy?.field ?? name;
}

/** The member of the owner's rows that does. */
export function memberFilling({ name, filledBy }: Column): string {
  return filledBy?.member ?? filledBy?.field ?? name;
}
