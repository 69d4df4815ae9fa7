import type { ClientBase } from "pg";

/** Runs `work` in a transaction of this session: commits, or rolls back and rejects with the error of `work`. */
export async function transact<T>(client: ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query("BEGIN");
  try {
    const result = await work();
    await client.query("COMMIT");
    return result;
  } catch (error) {
    await client.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}
