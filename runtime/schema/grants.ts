import type { ClientBase } from "pg";
import { hasState } from "../database/database-errors.js";
import { MigrationError } from "./ledger.js";

/** What the role that a service runs as may do. */
export interface Grants {
  readonly role: string;
  /** Text of the service's grants.sql: a transaction of its own. */
  readonly sql: string;
}

/**
 * Grants the role what it needs and revokes the rest. False where there is no such role, or it is the one that
 * migrates: then the service runs as the owner. Call under the migration lock: two at once would fail.
 */
export async function applyGrants(client: ClientBase, { role, sql }: Grants): Promise<boolean> {
  const found = await client.query("SELECT FROM pg_roles WHERE rolname = $1 AND rolname <> current_user", [
    role,
  ]);
  if (found.rowCount === 0) return false;
  try {
    await client.query(sql);
  } catch (error) {
    await client.query("ROLLBACK").catch(() => undefined);
    if (!hasState(error, "insufficient_privilege")) throw error;
    throw new MigrationError(
      `the grants of role "${role}" were not renewed: ${error.message}; who migrates must own all tables: run roles.sql as an administrator`,
      { cause: error },
    );
  }
  return true;
}
