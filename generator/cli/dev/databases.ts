import { randomBytes } from "node:crypto";
import pg from "pg";
import type { Database } from "../../model/mesh.js";
import { type PostgresServer, startPostgres } from "./servers/postgres.js";
import type { State } from "./state.js";
import { superviseServer } from "./supervisor.js";

export interface DevDatabases {
  /** Superuser URL by database name; the given URL where the environment names one. */
  readonly admin: Readonly<Record<string, string>>;
  /** What each service gets: its own role, which owns its own database and may enter no other. */
  readonly service: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export interface DatabasesOptions {
  readonly databases: readonly Database[];
  readonly state: State;
  readonly progress: (text: string) => void;
  /** Their server died, and what is done about it. */
  readonly onNotice: (text: string) => void;
}

/** One database per service, each at the URL of the environment, else in an embedded server, created if missing. */
export async function startDatabases(options: DatabasesOptions): Promise<DevDatabases> {
  const { databases, state, progress, onNotice } = options;
  const given = databases.flatMap((database) => {
    const url = process.env[database.urlVariable];
    return url ? [[database.name, url] as const] : [];
  });
  const own = databases.filter((database) => !process.env[database.urlVariable]);
  const admin = Object.fromEntries(given);
  const service = Object.fromEntries(given);
  if (own.length === 0) return { admin, service, stop: async () => {} };
  const server: PostgresServer = await startPostgres({ folder: state.postgres, progress });
  try {
    const made = await createDatabases(server.url, own);
    return {
      admin: { ...admin, ...made.admin },
      service: { ...service, ...made.service },
      stop: superviseServer({ server, onNotice }),
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

const CONNECT_MS = 30_000;

async function createDatabases(
  url: string,
  databases: readonly Database[],
): Promise<Omit<DevDatabases, "stop">> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS });
  // A server that dies in between fails the statement; the event beside it would end the process.
  client.on("error", () => undefined);
  await client.connect();
  const admin: Record<string, string> = {};
  const service: Record<string, string> = {};
  try {
    for (const database of databases) {
      admin[database.name] = withPath(url, database.name);
      service[database.name] = await createOwned(client, database, url);
    }
  } finally {
    await client.end();
  }
  return { admin, service };
}

/** The role's password is made up anew for each run: only our children ever hear it. */
async function createOwned(client: pg.Client, database: Database, url: string): Promise<string> {
  const name = client.escapeIdentifier(database.name);
  const owner = ownerOf(database);
  const ownerName = client.escapeIdentifier(owner);
  const password = randomBytes(18).toString("base64url");
  const role = await client.query("SELECT FROM pg_roles WHERE rolname = $1", [owner]);
  await client.query(`${role.rowCount ? "ALTER" : "CREATE"} ROLE ${ownerName} LOGIN PASSWORD '${password}'`);
  const found = await client.query("SELECT FROM pg_database WHERE datname = $1", [database.name]);
  if (!found.rowCount) {
    await client.query(`CREATE DATABASE ${name} OWNER ${ownerName}`);
    await client.query(`REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC`);
  }
  const own = new URL(withPath(url, database.name));
  own.username = encodeURIComponent(owner);
  own.password = password;
  return own.href;
}

/** Words that are no role to PostgreSQL; and a role called as the runtime's schema would find that before its own tables. */
const NO_ROLES: ReadonlySet<string> = new Set(["public", "none", "mesh"]);

function ownerOf({ name }: Database): string {
  return NO_ROLES.has(name) ? `${name}$owner` : name;
}

function withPath(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${encodeURIComponent(database)}`;
  return changed.href;
}
