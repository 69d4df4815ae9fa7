import type { ClientBase, Pool } from "pg";
import { withClient } from "../database/transaction.js";
import { compareExisting, type ExistingDifference, type ExistingTable } from "./existing-tables.js";
import { compareViews } from "./existing-views.js";
import { compareTriggers } from "./idle-triggers.js";

/*
 * What somebody may have altered under a running mesh: tables and views that exist belong to applications, and triggers of ours can be
 * dropped or disabled by whoever owns their table.
 */

/** Those that a service has. */
export interface ExistingParts {
  readonly tables: readonly ExistingTable[];
  readonly views?: readonly ExistingTable[];
}

/**
 * What of them is not what mesh.yaml says, and whose triggers do not fire; as any role that may read the catalogue. To be asked of a
 * database that is migrated.
 */
export async function readDifferences(
  database: Pool | ClientBase,
  { tables, views = [] }: ExistingParts,
): Promise<readonly ExistingDifference[]> {
  const compare = async (client: ClientBase) => {
    const { differences } = await compareExisting(client, tables);
    return [
      ...differences,
      ...(await compareViews(client, views)),
      ...(await compareTriggers(client, tables)),
    ];
  };
  return "totalCount" in database ? await withClient(database, compare) : await compare(database);
}
