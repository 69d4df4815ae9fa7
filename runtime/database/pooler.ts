import { type ClientBase, DatabaseError, type Pool } from "pg";
import { ConfigurationError } from "../configuration-error.js";
import { openClient } from "./mesh-schema.js";

/*
 * Whether a connection pooler stands before the database. A service keeps state in its sessions: the advisory locks of relay and
 * migrations, LISTEN, and settings that its SQL relies on. A pooler that shares one session among clients, a transaction
 * each, breaks all of that without an error: two relays would both hold the leader lease.
 */

export interface DatabaseUrl {
  readonly pool: Pool;
  readonly service: string;
  /** Name of the environment variable with the URL, for the message: AUTH_DB_URL. */
  readonly variable: string;
}

/** Rejects with `ConfigurationError` where a pooler shares the sessions, and with the driver's error where the database is unavailable. */
export async function requireOwnSessions({ pool, service, variable }: DatabaseUrl): Promise<void> {
  const reason = await findSharing(pool);
  if (reason === undefined) return;
  throw new ConfigurationError(service, [
    `${variable} leads to a connection pooler ${reason}; locks, LISTEN and settings need sessions of the service's own: give the URL of the database itself`,
  ]);
}

async function findSharing(pool: Pool): Promise<string | undefined> {
  const first = openClient(pool);
  const second = openClient(pool);
  for (const client of [first, second]) client.on("error", () => undefined);
  try {
    await first.connect();
    if (!(await hasSettings(first))) return "that drops the settings of a session";
    // A pooler makes up its own key for cancelling.
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
    `SELECT pg_catalog.current_setting('TimeZone') = 'UTC' AND pg_catalog.current_setting('statement_timeout') = '0'
        AND pg_catalog.current_setting('idle_in_transaction_session_timeout') <> '0' AS ours`,
  );
  return rows[0]?.ours === true;
}

/**
 * Whether two clients share sessions. Where there is one session, or the newest is given out first, a transaction of the second
 * client gets the session that the first has just used. Where sessions are given out in turn, the first client gets another one.
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

/** The backend's pid, as the server or a pooler sent it at the start of the session. The driver's types lack it. */
function keyOf(client: ClientBase): number | undefined {
  return "processID" in client && typeof client.processID === "number" ? client.processID : undefined;
}
