import type { Pool, PoolClient } from "pg";

/** PostgreSQL rolled the transaction back instead of committing: a hook had caught the error of a statement of its own. */
export class CommitRefused extends Error {
  override readonly name = "CommitRefused";
}

/** The connection is lost: whatever ran on it has to be done again. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

/**
 * Runs `work` in a transaction: commits, or rolls back and rejects with the error of `work`. A connection that is lost during
 * COMMIT leaves it unknown whether the transaction was committed; the order guard makes a retry idempotent.
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

/** Runs `work` on a connection of the pool. Rolls back where it fails; a lost connection does not return to the pool. */
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
      // The error may be a hook's own; what counts is that the connection is lost.
      lost = new ConnectionLost("the connection to the database was lost", { cause: error });
    }
    throw lost ?? error;
  } finally {
    client.off("error", onError);
    client.release(lost);
  }
}

/**
 * A connection of the pool. Adds the listener in the callback that gets the connection: without one, a connection that is lost right then, or between two
 * statements, would end the process.
 */
export function acquire(pool: Pool, onError: (cause: Error) => void): Promise<PoolClient> {
  return new Promise((resolve, reject) => {
    pool.connect((error, client) => {
      if (client === undefined) return reject(error);
      client.on("error", onError);
      resolve(client);
    });
  });
}

/** False where the connection is lost. Outside a transaction the server only warns. */
async function rollsBack(client: PoolClient): Promise<boolean> {
  try {
    await client.query("ROLLBACK");
    return true;
  } catch {
    return false;
  }
}
