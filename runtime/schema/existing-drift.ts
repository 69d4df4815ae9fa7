import type { ClientBase, Pool } from "pg";
import { withClient } from "../database/transaction.js";
import { compareExisting, type ExistingDifference, type ExistingTable } from "./existing-tables.js";
import { compareViews } from "./existing-views.js";

/*
 * Tables and views that exist belong to applications, which may alter them under a running mesh: its triggers then refuse every row.
 */

/** Those that a service names. */
export interface ExistingParts {
  readonly tables: readonly ExistingTable[];
  readonly views?: readonly ExistingTable[];
}

export function hasExisting({ tables, views = [] }: ExistingParts): boolean {
  return views.length > 0 || tables.some(({ existing }) => existing !== undefined);
}

/** What of them is not what mesh.yaml says; as any role that may read the catalogue. To be asked of a database that is migrated. */
export async function readDifferences(
  database: Pool | ClientBase,
  parts: ExistingParts,
): Promise<readonly ExistingDifference[]> {
  if (!hasExisting(parts)) return [];
  const { tables, views = [] } = parts;
  const compare = async (client: ClientBase) => {
    const { differences } = await compareExisting(client, tables);
    return [...differences, ...(await compareViews(client, views))];
  };
  return "totalCount" in database ? await withClient(database, compare) : await compare(database);
}
