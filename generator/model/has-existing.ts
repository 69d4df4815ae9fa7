import type { Database } from "./mesh.js";

/** Whether tables of it were there before the mesh, and are somebody's. */
export function hasExisting({ tables }: Pick<Database, "tables">): boolean {
  return tables.some(({ existing }) => existing === true);
}
