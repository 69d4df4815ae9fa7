import type { PoolClient } from "pg";
import type { Cause } from "./cause.js";

/*
 * The cause of a transaction, as `mesh.set_cause` takes it. It ends with the transaction.
 */

/** No cause: what is written begins a chain of its own. */
export const NO_CAUSE = "";

/** What a transaction has set, so that nothing is set twice. */
export interface TransactionCause {
  current: string;
}

export function printCause(cause: Cause | undefined): string {
  return cause === undefined || Object.keys(cause).length === 0 ? NO_CAUSE : JSON.stringify(cause);
}

/** Queues the statement ahead of whatever the caller sends next, where the transaction has another cause so far. */
export async function setCause(client: PoolClient, known: TransactionCause, cause: string): Promise<void> {
  if (known.current === cause) return;
  known.current = cause;
  await client.query({ name: "mesh-set-cause", text: "SELECT mesh.set_cause($1)", values: [cause] });
}
