import type { Pool, PoolClient } from "pg";

/** The transaction was in error when it was committed: a hook swallowed the error of a statement of its own. */
export class CommitRefused extends Error {
  override readonly name = "CommitRefused";
}

/** Infrastructure: whatever was under way is to be done again. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

/**
 * Runs `work` in a transaction of its own: commits what it did, or rolls back and rejects with its
 * error. When the connection is lost while committing nobody knows which: the order guard makes
 * doing it again safe.
 */
export async function inTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  return await withClient(pool, async (client) => {
    await client.query("BEGIN");
    const result = await work(client);
    const { command } = await client.query("COMMIT");
    // PostgreSQL answers COMMIT of a failed transaction with ROLLBACK, and no error.
    if (command !== "COMMIT") throw new CommitRefused("a hook went on after a statement of its own failed");
    return result;
  });
}

/** Lends a connection and rolls back what failed on it; one that was lost does not go back to the pool. */
export async function withClient<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  let lost: Error | undefined;
  const onError = (cause: Error) => {
    lost = new ConnectionLost("the connection to the database was lost", { cause });
  };
  const client = await acquire(pool, onError);
  try {
    return await work(client);
  } catch (error) {
    if (lost === undefined && !(await rollsBack(client))) {
      // What the error says may be a hook's own trouble; that the connection is gone is what counts.
      lost = new ConnectionLost("the connection to the database was lost", { cause: error });
    }
    throw lost ?? error;
  } finally {
    client.off("error", onError);
    client.release(lost);
  }
}

/**
 * Listens from the very call that hands the connection over: one that is lost between two statements,
 * or in the same breath as it is made, would otherwise end the process.
 */
function acquire(pool: Pool, onError: (cause: Error) => void): Promise<PoolClient> {
  return new Promise((resolve, reject) => {
    pool.connect((error, client) => {
      if (client === undefined) return reject(error);
      client.on("error", onError);
      resolve(client);
    });
  });
}

/** False when the connection does not even take that. Without a transaction it is a warning of the server's. */
async function rollsBack(client: PoolClient): Promise<boolean> {
  try {
    await client.query("ROLLBACK");
    return true;
  } catch {
    return false;
  }
}
