import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { type NatsOptions, startNats as startNatsServer } from "../../generator/dev/servers/nats-server.js";
import {
  removePostgres,
  startPostgres as startPostgresServer,
} from "../../generator/dev/servers/postgres-server.js";
import type { RunningServer } from "../../generator/dev/servers/process.js";

export { freePort } from "../../generator/dev/servers/free-ports.js";

/** A broker of the test's own, JetStream on; `stop`, `kill` (SIGKILL) and `restart` keep port and streams. */
export interface TestNats extends RunningServer {
  /** Stops it and removes its streams from the disk. */
  remove(): Promise<void>;
}

export async function startNats(options: Omit<NatsOptions, "folder"> = {}): Promise<TestNats> {
  const folder = await mkdtemp(join(tmpdir(), "mesh-nats-"));
  const server = await startNatsServer({ ...options, folder });
  const remove = async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  return Object.defineProperties(Object.create(server) as TestNats, { remove: { value: remove } });
}

/** A test's own PostgreSQL, with durability turned off for speed. */
export interface TestPostgres extends RunningServer {
  /** A new, empty database of exactly this name. */
  createDatabase(name: string): Promise<string>;
  /** Stops it and removes its data from the disk. */
  remove(): Promise<void>;
}

const FAST = {
  fsync: "off",
  synchronous_commit: "off",
  full_page_writes: "off",
  max_connections: "300",
  shared_buffers: "256MB",
  max_wal_size: "1GB",
};

export async function startPostgres(
  settings: Readonly<Record<string, string>> = FAST,
): Promise<TestPostgres> {
  const folder = await mkdtemp(join(tmpdir(), "mesh-postgres-"));
  const server = await startPostgresServer({ folder, settings });
  const remove = async () => {
    await server.stop();
    await removePostgres(folder);
  };
  return Object.defineProperties(Object.create(server) as TestPostgres, {
    remove: { value: remove },
    createDatabase: { value: (name: string) => createNamedDatabase(server.url, name) },
  });
}

const made: { readonly adminUrl: string; readonly name: string }[] = [];

/** A new, empty database with a unique name that starts with `prefix`. */
export function createDatabase(adminUrl: string, prefix = "test"): Promise<string> {
  const name = `${prefix}_${process.pid}_${Date.now().toString(36)}_${made.length + 1}`;
  made.push({ adminUrl, name });
  return createNamedDatabase(adminUrl, name);
}

/**
 * Drops what `createDatabase` made on this server: a whole run makes some 900 databases, 8 GB if they stayed.
 * One that is still in use stays until the server is removed.
 */
export async function dropDatabases(adminUrl: string): Promise<void> {
  const names = made.splice(0).filter((database) => database.adminUrl === adminUrl);
  if (names.length === 0) return;
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    for (const { name } of names) {
      await client.query(`DROP DATABASE IF EXISTS ${client.escapeIdentifier(name)}`).catch(() => undefined);
    }
  } finally {
    await client.end();
  }
}

async function createNamedDatabase(adminUrl: string, name: string): Promise<string> {
  const client = new pg.Client({ connectionString: adminUrl });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
  } finally {
    await client.end();
  }
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  return url.href;
}

export interface WaitOptions {
  readonly timeoutMs?: number;
  readonly everyMs?: number;
  /** What is waited for, in words, for the error message. */
  readonly what?: string;
}

/** Resolves with the first truthy answer of `condition`; an error it throws counts as "not yet". */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<NonNullable<T>> {
  const { timeoutMs = 15_000, everyMs = 20, what = "the condition" } = options;
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      const cause = last instanceof Error ? last : undefined;
      throw new Error(`waited ${timeoutMs} ms for ${what}; last: ${cause?.message ?? String(last)}`, {
        cause,
      });
    }
    await new Promise((wake) => setTimeout(wake, everyMs));
  }
}
