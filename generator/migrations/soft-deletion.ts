import type { Mesh, Table } from "../model/mesh.js";
import { emittedFrom } from "../rules/emitted.js";
import type { SoftDeletionSchema, TableSchema } from "./database-schema.js";
import { comparedId, rowLives } from "./row-sql.js";
import type { Step } from "./steps.js";

/*
 * What a table's soft deletion means to its rows when it goes or gets another column: rows that were deleted by it are there
 * again, as new incarnations, which copies take from their next snapshot.
 */

export function softDeletionSchema(table: Table, mesh: Mesh): SoftDeletionSchema | undefined {
  const [living] = rowLives(table, "kept");
  if (table.softDelete === undefined || living === undefined) return undefined;
  const own = emittedFrom(table, mesh).find(({ emit }) => emit?.id === undefined);
  return {
    column: table.softDelete,
    entity: own && `${own.service}.${own.entity}`,
    id: comparedId(table, "kept"),
    living,
  };
}

/** Whether rows that were softly deleted live in the next state; `names`: of columns that stay. */
function revivesRows(
  { softDeletion: before }: TableSchema,
  { softDeletion: after }: TableSchema,
  names: ReadonlyMap<string, string>,
): boolean {
  return before !== undefined && (after === undefined || names.get(before.column) !== after.column);
}

export function compareSoftDeletion(
  { previous, next }: { readonly previous: TableSchema; readonly next: TableSchema },
  names: ReadonlyMap<string, string>,
): readonly Step[] {
  const { name: table, softDeletion: deletion } = previous;
  if (deletion?.entity === undefined || !revivesRows(previous, next, names)) return [];
  return [{ kind: "revive_rows", table, deletion: { ...deletion, entity: deletion.entity } }];
}
