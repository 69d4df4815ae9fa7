import { randomBytes } from "node:crypto";
import { checkDatabase, databaseUrl } from "@meshwright/runtime";
import pg from "pg";
import { hasExisting } from "../model/has-existing.js";
import type { Database } from "../model/mesh.js";
import { nameOnServer } from "../model/names.js";
import { readRoles } from "../project/read-roles.js";
import { UsageError } from "../project/usage-error.js";
import { startPostgres } from "./servers/postgres-server.js";
import type { State } from "./state.js";
import { superviseServer } from "./supervisor.js";

export interface DevDatabases {
  /** By database: the URL of its owner, who migrates it. From the environment, where it is set there. */
  readonly owner: Readonly<Record<string, string>>;
  /** By database: the URL that its service gets, of a role that reads and writes its rows and may enter no other database. */
  readonly service: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

export interface DatabasesOptions {
  readonly databases: readonly Database[];
  readonly state: State;
  readonly progress: (text: string) => void;
  /** Called with a line for people when the server died, and when it is back. */
  readonly onNotice: (text: string) => void;
}

/** The database of each service, each at the URL of the environment, else in an embedded server, created if missing. */
export async function startDatabases(options: DatabasesOptions): Promise<DevDatabases> {
  const { databases, state, progress, onNotice } = options;
  const owner: Record<string, string> = {};
  const service: Record<string, string> = {};
  requireExisting(databases);
  requireTogether(databases);
  for (const { name, urlVariable, ownerUrlVariable, tables } of databases.filter(isGiven)) {
    const standIn = hasExisting({ tables }) && process.env.DATABASE_URL ? [givenUrl("DATABASE_URL")] : [];
    const named = [urlVariable, ownerUrlVariable].filter((variable) => process.env[variable]).map(givenUrl);
    const given = named.length > 0 ? named : standIn;
    service[name] = given[0] ?? "";
    owner[name] = given.at(-1) ?? "";
  }
  const own = databases.filter((database) => !isGiven(database));
  if (own.length === 0) return { owner, service, stop: async () => {} };
  const server = await startPostgres({ folder: state.postgres, progress });
  try {
    for (const database of own) {
      const made = await createDatabase(server.url, database);
      owner[database.name] = made.owner;
      service[database.name] = made.service;
    }
  } catch (error) {
    await server.stop();
    throw error;
  }
  return { owner, service, stop: superviseServer({ server, onNotice }) };
}

/** With the password that stands beside it. */
function givenUrl(variable: string): string {
  const [problem] = checkDatabase(variable, process.env);
  if (problem !== undefined) throw new UsageError(problem);
  return databaseUrl(variable, process.env) ?? "";
}

/** Whether the environment names it: it is then not in the state folder. */
export function isGiven({ urlVariable, ownerUrlVariable, tables }: Database): boolean {
  const standIn = hasExisting({ tables }) ? process.env.DATABASE_URL : undefined;
  return Boolean(process.env[urlVariable] || process.env[ownerUrlVariable] || standIn);
}

/** What exists is nowhere but where it is: an empty database of ours would be another one. */
function requireExisting(databases: readonly Database[]): void {
  const missing = databases.find((database) => hasExisting(database) && !isGiven(database));
  if (missing === undefined) return;
  throw new UsageError(
    `tables of ${missing.name} exist, and it is not said where`,
    `set ${missing.urlVariable}, or DATABASE_URL, to the URL of a database that has them`,
  );
}

/** One of them at a URL and another in the embedded server would not be one database. */
function requireTogether(databases: readonly Database[]): void {
  for (const database of databases) {
    const { shared } = database;
    const host = databases.find(({ name }) => name === shared?.with);
    if (host === undefined || isGiven(host) === isGiven(database)) continue;
    const [given, missing] = isGiven(host) ? [host, database] : [database, host];
    throw new UsageError(
      `${database.name} shares ${host.name}, and only ${given.name} has a URL`,
      `set ${missing.urlVariable} to a URL of the same PostgreSQL database, for the role of ${missing.service}`,
    );
  }
}

const CONNECT_MS = 30_000;

interface RoleUrls {
  readonly owner: string;
  readonly service: string;
}

/** Creates the database unless it is there, and the roles of roles.sql. Each run gives them new passwords. */
async function createDatabase(server: string, database: Database): Promise<RoleUrls> {
  const name = nameOnServer(database);
  await asSuperuser(server, async (client) => {
    const found = await client.query("SELECT FROM pg_database WHERE datname = $1", [name]);
    if (!found.rowCount) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
  });
  const url = withPath(server, name);
  return await asSuperuser(url, async (client) => {
    await client.query(await readRoles());
    const { owner, service } = database.roles;
    return { owner: await logIn(client, url, owner), service: await logIn(client, url, service) };
  });
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
