import type { ClientBase } from "pg";
import { hasState } from "../database/database-errors.js";
import { MigrationError } from "./ledger.js";

/** What a service runs as, and the tables of its database. */
export interface Grants {
  readonly role: string;
  readonly tables: readonly string[];
}

/**
 * Grants the role what it needs and revokes the rest. False where there is no such role, or it is the one that
 * migrates: then the service runs as the owner. Call under the migration lock: two at once would fail.
 */
export async function applyGrants(client: ClientBase, { role, tables }: Grants): Promise<boolean> {
  const found = await client.query("SELECT FROM pg_roles WHERE rolname = $1 AND rolname <> current_user", [
    role,
  ]);
  if (found.rowCount === 0) return false;
  try {
    await client.query("SELECT mesh.grant_service($1, $2)", [role, tables]);
  } catch (error) {
    if (!hasState(error, "insufficient_privilege")) throw error;
    throw new MigrationError(
      `the grants of role "${role}" were not renewed: ${error.message}; who migrates must own all tables: run roles.sql as an administrator`,
      { cause: error },
    );
  }
  return true;
}
