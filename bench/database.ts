import { connect } from "nats";
import pg from "pg";
import { meshMigrations } from "../runtime/schema/files.js";
import type { Servers } from "./section.js";

/** A new and empty database; its URL. */
export async function createDatabase({ postgresUrl }: Servers, name: string): Promise<string> {
  await asAdmin(postgresUrl, `CREATE DATABASE ${name}`);
  const url = new URL(postgresUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** One with the `mesh` schema and what `tables` makes. */
export async function createMeshDatabase(servers: Servers, name: string, tables = ""): Promise<string> {
  const url = await createDatabase(servers, name);
  await asAdmin(url, `CREATE SCHEMA mesh; ${meshMigrations.map(({ text }) => text).join("")}; ${tables}`);
  return url;
}

/** What a section leaves would slow the next one: its database, and its stream, if it has one. */
export async function dropAll(
  { postgresUrl, natsUrl }: Servers,
  database: string,
  stream?: string,
): Promise<void> {
  await asAdmin(postgresUrl, `DROP DATABASE ${database}`);
  if (stream === undefined) return;
  const client = await connect({ servers: natsUrl });
  await (await client.jetstreamManager()).streams.delete(stream);
  await client.close();
}

async function asAdmin(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
