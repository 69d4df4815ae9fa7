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
}

export function guardedColumns(mesh: Mesh, service: string, table: Table): readonly GuardedColumn[] {
  const consumers = mesh.services.find(({ name }) => name === service)?.consumers ?? [];
  const rules = consumers.flatMap(({ cascades, entity }) =>
    cascades.filter((rule) => rule.table === table.name).map(({ column }) => ({ column, entity })),
  );
  return table.columns.flatMap(({ name: column }) => {
    const entities = new Set(rules.filter((rule) => rule.column === column).map(({ entity }) => entity));
    return entities.size === 0 ? [] : [{ column, entities: [...entities].sort() }];
  });
}
