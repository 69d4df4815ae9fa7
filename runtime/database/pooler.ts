import pg, { type ClientBase, DatabaseError, type Pool } from "pg";
import { ConfigurationError } from "../configuration-error.js";

/*
 * What a service keeps in a session: the relay's and the migrations' advisory locks, LISTEN, and the settings its SQL
 * relies on. A pooler that gives one session to many clients, a transaction each, breaks all of it without an error:
 * two relays both hold the lock.
 */

export interface DatabaseUrl {
  readonly pool: Pool;
  readonly service: string;
  /** For the message: AUTH_DB_URL. */
  readonly variable: string;
}

/** Rejects with `ConfigurationError` where the pool's sessions are not its own, and with the driver's error where the database is away. */
export async function requireOwnSessions({ pool, service, variable }: DatabaseUrl): Promise<void> {
  const reason = await findSharing(pool);
  if (reason === undefined) return;
  throw new ConfigurationError(service, [
    `${variable} leads to a connection pooler ${reason}; locks, LISTEN and settings need sessions of the service's own: give the URL of the database itself`,
  ]);
}

async function findSharing(pool: Pool): Promise<string | undefined> {
  const first = new pg.Client(pool.options);
  const second = new pg.Client(pool.options);
  for (const client of [first, second]) client.on("error", () => undefined);
  try {
    await first.connect();
    if (!(await hasSettings(first))) return "that drops the settings of a session";
    // Who stands between us and the server makes up a key of its own for cancelling.
    if ((await backendOf(first)) === keyOf(first)) return undefined;
    await second.connect();
    return (await isShared(first, second)) ? "that shares sessions between clients" : undefined;
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error;
    // PgBouncer's words for what it does not pass on, and for its statement mode.
    if (/unsupported startup parameter/.test(error.message))
      return `that refuses settings (${error.message})`;
    if (/statement pooling mode/.test(error.message)) return "that shares sessions between clients";
    throw error;
  } finally {
    await Promise.all([first, second].map((client) => client.end().catch(() => undefined)));
  }
}

async function hasSettings(client: ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ ours: boolean }>(
    `SELECT current_setting('TimeZone') = 'UTC' AND current_setting('statement_timeout') = '0'
        AND current_setting('idle_in_transaction_session_timeout') <> '0' AS ours`,
  );
  return rows[0]?.ours === true;
}

/**
 * A transaction of the second one takes the session that the first one has just used, if there is but one, or the
 * newest is taken first; where they are taken in turn the first one does not find its own again.
 */
async function isShared(first: ClientBase, second: ClientBase): Promise<boolean> {
  const mine = await backendOf(first);
  await second.query("BEGIN");
  const others = await backendOf(second);
  const again = [];
  if (others !== mine) again.push(await backendOf(first), await backendOf(first));
  await second.query("COMMIT");
  return others === mine || again.some((pid) => pid !== mine);
}

async function backendOf(client: ClientBase): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
  return rows[0]?.pid;
}

/** Told by the server, or by who speaks for it, at the start of the session. The driver's types leave it out. */
function keyOf(client: ClientBase): number | undefined {
  return "processID" in client && typeof client.processID === "number" ? client.processID : undefined;
}
