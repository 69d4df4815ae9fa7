import { randomBytes } from "node:crypto";
import pg from "pg";
import type { Database } from "../model/mesh.js";
import { readRoles } from "../project/read-roles.js";
import { type PostgresServer, startPostgres } from "./servers/postgres-server.js";
import type { State } from "./state.js";
import { superviseServer } from "./supervisor.js";

export interface DevDatabases {
  /** URL of each database's owner, who migrates it; what the environment names, where it does. */
  readonly owner: Readonly<Record<string, string>>;
  /** What each service gets: a role that reads and writes its rows, and may enter no other database. */
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
  const owner: Record<string, string> = {};
  const service: Record<string, string> = {};
  for (const { name, urlVariable, ownerUrlVariable } of databases.filter(isGiven)) {
    const given = [process.env[urlVariable], process.env[ownerUrlVariable]].filter((url) => url);
    service[name] = given[0] ?? "";
    owner[name] = given.at(-1) ?? "";
  }
  const own = databases.filter((database) => !isGiven(database));
  if (own.length === 0) return { owner, service, stop: async () => {} };
  const server: PostgresServer = await startPostgres({ folder: state.postgres, progress });
  const roles = new Set(databases.flatMap((database) => Object.values(database.roles)));
  try {
    for (const database of own) {
      const made = await createDatabase(server.url, database, roles);
      owner[database.name] = made.owner;
      service[database.name] = made.service;
    }
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { owner, service, stop: superviseServer({ server, onNotice }) };
}

/** Whether it is the user's own, and not in the state folder. */
export function isGiven({ urlVariable, ownerUrlVariable }: Database): boolean {
  return Boolean(process.env[urlVariable] || process.env[ownerUrlVariable]);
}

const CONNECT_MS = 30_000;

interface RoleUrls {
  readonly owner: string;
  readonly service: string;
}

/** With the roles of roles.sql. Their passwords are made up anew for each run. */
async function createDatabase(
  server: string,
  database: Database,
  roles: ReadonlySet<string>,
): Promise<RoleUrls> {
  await asSuperuser(server, async (client) => {
    const found = await client.query("SELECT FROM pg_database WHERE datname = $1", [database.name]);
    if (!found.rowCount) await client.query(`CREATE DATABASE ${client.escapeIdentifier(database.name)}`);
  });
  const url = withPath(server, database.name);
  return await asSuperuser(url, async (client) => {
    await client.query(await readRoles());
    await adoptFormer(client, database, roles);
    const { owner, service } = database.roles;
    return { owner: await logIn(client, url, owner), service: await logIn(client, url, service) };
  });
}

/**
 * Before there were two roles, one that is called like its database owned it all, and people made tables as the
 * superuser: all of it is the owner's from here on, and that role may no longer log in.
 */
async function adoptFormer(
  client: pg.Client,
  { name, roles }: Database,
  present: ReadonlySet<string>,
): Promise<void> {
  const former = ["public", "none", "mesh"].includes(name) ? `${name}$owner` : name;
  const owner = client.escapeIdentifier(roles.owner);
  const known = await client.query("SELECT FROM pg_roles WHERE rolname = $1", [former]);
  if (known.rowCount && former !== roles.owner) {
    await client.query(`REASSIGN OWNED BY ${client.escapeIdentifier(former)} TO ${owner}`);
    if (!present.has(former)) await client.query(`ALTER ROLE ${client.escapeIdentifier(former)} NOLOGIN`);
  }
  const { rows } = await client.query<{ relation: string }>(
    `SELECT oid::regclass::text AS relation FROM pg_class
     WHERE relkind IN ('r', 'p', 'v', 'm') AND relowner = current_user::regrole
       AND relnamespace::regnamespace::text !~ '^(pg_|information_schema$)'`,
  );
  for (const { relation } of rows) await client.query(`ALTER TABLE ${relation} OWNER TO ${owner}`);
}

async function logIn(client: pg.Client, url: string, role: string): Promise<string> {
  const own = new URL(url);
  own.username = encodeURIComponent(role);
  own.password = randomBytes(18).toString("base64url");
  await client.query(`ALTER ROLE ${client.escapeIdentifier(role)} PASSWORD '${own.password}'`);
  return own.href;
}

async function asSuperuser<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS });
  // A server that dies in between fails the statement; the event beside it would end the process.
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function withPath(url: string, database: string): string {
  const changed = new URL(url);
  changed.pathname = `/${encodeURIComponent(database)}`;
  return changed.href;
}
