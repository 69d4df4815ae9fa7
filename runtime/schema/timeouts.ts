import type { ClientBase } from "pg";

/** As far as this server has them. An index takes as long as it takes to build; what may wait says so itself. */
const NAMES = ["statement_timeout", "lock_timeout", "transaction_timeout", "idle_session_timeout"];

/** Runs `work` on a session that nothing ends for its length, whatever role, database or URL set, and puts the settings back. */
export async function withoutTimeouts<T>(client: ClientBase, work: () => Promise<T>): Promise<T> {
  const { rows } = await client.query<{ name: string; setting: string }>(
    "SELECT name, setting, pg_catalog.set_config(name, '0', false) FROM pg_settings WHERE name = ANY($1) AND setting <> '0'",
    [NAMES],
  );
  try {
    return await work();
  } finally {
    for (const { name, setting } of rows) {
      await client
        .query("SELECT pg_catalog.set_config($1, $2, false)", [name, setting])
        .catch(() => undefined);
    }
  }
}
