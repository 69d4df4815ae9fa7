import type { Mesh, Table } from "../../../model/mesh.js";

/**
 * A column by which cascade rules find its rows: a row that named a deleted entity would outlive the cascade that has
 * already run. Together with the deletion's lock on `mesh.applied` the guard holds under any interleaving: whichever
 * of the two commits first is seen by the other.
 */
export interface GuardedColumn {
  readonly column: string;
  /** `auth.user`: whose ids the column holds. */
  readonly entities: readonly string[];
  /** Rows wait for a hook before a rule deletes them: their tasks end with them, also where a later row has the key. */
  readonly hasTasks: boolean;
}

export function guardedColumns(mesh: Mesh, service: string, table: Table): readonly GuardedColumn[] {
  const consumers = mesh.services.find(({ name }) => name === service)?.consumers ?? [];
  const rules = consumers.flatMap(({ cascades, entity }) =>
    cascades.filter((rule) => rule.table === table.name).map((rule) => ({ ...rule, entity })),
  );
  return table.columns.flatMap(({ name: column }) => {
    const ofColumn = rules.filter((rule) => rule.column === column);
    if (ofColumn.length === 0) return [];
    const entities = [...new Set(ofColumn.map(({ entity }) => entity))].sort();
    return [{ column, entities, hasTasks: ofColumn.some(({ before }) => before !== undefined) }];
  });
}
