import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { FastifyInstance } from "fastify";
import { Pool } from "pg";
import { inject } from "vitest";
import { buildServer, type HttpOptions } from "../../runtime/http/server.js";
import { migrate } from "../../runtime/schema/index.js";
import { keyDigests } from "../../runtime/values/access-keys.js";
import { KEY, resources, SQL, type UserRow } from "./http-tables.js";
import { type RecordingLogger, recordingLogger, silent } from "./loggers.js";
import { createDatabase } from "./servers.js";

export { KEY };

export interface TestServer {
  readonly app: FastifyInstance;
  readonly url: string;
  readonly port: number;
  readonly pool: Pool;
  readonly databaseUrl: string;
  readonly recording: RecordingLogger;
  /** A request with the key; `body` is sent as JSON unless it is a string. */
  request(method: string, path: string, options?: RequestOptions): Promise<Response>;
  close(): Promise<void>;
}

export interface RequestOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A server over a new database with the mesh schema and the tables above. */
export async function startServer(options: Partial<HttpOptions> = {}): Promise<TestServer> {
  return await serveDatabase(await createMigratedDatabase(SQL), options);
}

/** A server over this database. */
export async function serveDatabase(
  databaseUrl: string,
  options: Partial<HttpOptions> = {},
): Promise<TestServer> {
  const pool = new Pool({ connectionString: databaseUrl, max: 8, connectionTimeoutMillis: 3_000 });
  pool.on("error", () => undefined);
  const recording = recordingLogger();
  const app = buildServer({
    service: "auth",
    resources,
    pool,
    keys: { operator: keyDigests(KEY), callers: [] },
    logger: recording,
    health: async () => ({ status: "ready", checks: {} }),
    operations: { resyncable: () => [], resync: async (durable) => ({ durable }) },
    closed: () => undefined,
    ...options,
  });
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  return {
    app,
    url,
    port: Number(new URL(url).port),
    pool,
    databaseUrl,
    recording,
    request: (method, path, request = {}) => send(url + path, method, request),
    close: async () => {
      app.server.closeAllConnections();
      await app.close();
      await pool.end();
    },
  };
}

function send(url: string, method: string, { body, headers = {} }: RequestOptions): Promise<Response> {
  return fetch(url, {
    method,
    headers: {
      authorization: `Bearer ${KEY}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
}

/** The elements of a list; with `_version` where the request asked for it. */
export async function readRows(
  response: Response,
): Promise<readonly (UserRow & { readonly _version?: number })[]> {
  return (await response.json()) as readonly UserRow[];
}

export async function readRow(response: Response): Promise<UserRow> {
  return (await response.json()) as UserRow;
}

export async function createMigratedDatabase(sql: string): Promise<string> {
  const url = await createDatabase(inject("postgres"), "http");
  const folder = await writeMigrations(sql);
  const pool = new Pool({ connectionString: url, max: 1 });
  try {
    await migrate(pool, { service: "auth", migrations: folder, logger: silent });
  } finally {
    await pool.end();
    await rm(folder, { recursive: true });
  }
  return url;
}

export async function writeMigrations(sql: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "mesh-migrations-"));
  await writeFile(join(folder, "0001_initial.sql"), sql);
  return folder;
}

/** Sends raw bytes and resolves with the answer, once the server has closed the connection. */
export async function sendRaw(port: number, bytes: string): Promise<string> {
  const { connect } = await import("node:net");
  const socket = connect(port, "127.0.0.1");
  let answer = "";
  socket.on("data", (chunk: Buffer) => {
    answer += chunk.toString("latin1");
  });
  socket.on("error", () => undefined);
  socket.write(bytes);
  await once(socket, "close");
  return answer;
}
