import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { sfsUserConsumer } from "../generated/sfs/consumers/auth-user.js";
import { createLane } from "../runtime/consume/lane.js";
import { buildModel } from "../runtime/consume/model.js";
import { takeSnapshot } from "../runtime/consume/snapshot.js";
import type { Logger } from "../runtime/definition.js";
import { MESH_0001 } from "../runtime/schema/0001_mesh.js";

/*
 * A snapshot over HTTP against one bare COPY and one set-based upsert of the same rows.
 */

export interface SnapshotBenchOptions {
  readonly postgresUrl: string;
  readonly rows?: number;
}

export interface SnapshotBench {
  /** Rows per second. */
  readonly snapshot: number;
  readonly bare: number;
  /** Budget: at least 0.5. */
  readonly share: number;
  /** Highest resident size while the snapshot was taken, source included. Budget: 200. */
  readonly megabytes: number;
}

const TABLES = `
CREATE TABLE user_cache (user_id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE,
  display_name TEXT NOT NULL DEFAULT '', synced_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE bare_cache (LIKE user_cache INCLUDING ALL);
CREATE TABLE namespaces (namespace_id TEXT PRIMARY KEY, owner_id TEXT);
CREATE TABLE files (file_id TEXT PRIMARY KEY, uploader_id TEXT);
INSERT INTO mesh.subscription (durable, stream) VALUES ('sfs_auth_user', 'AUTH');`;

const quiet: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => quiet,
};

export async function benchSnapshot({
  postgresUrl,
  rows = 100_000,
}: SnapshotBenchOptions): Promise<SnapshotBench> {
  const name = `bench${randomUUID().slice(0, 8)}`;
  await asAdmin(postgresUrl, `CREATE DATABASE ${name}`);
  const url = new URL(postgresUrl);
  url.pathname = `/${name}`;
  const pool = new pg.Pool({ connectionString: url.href, max: 4, options: "-c TimeZone=UTC" });
  const source = await serveUsers(rows);
  try {
    await pool.query(`CREATE SCHEMA mesh; ${MESH_0001}; ${TABLES}`);
    const bare = await runBare(pool, rows);
    const { rate: snapshot, megabytes } = await runSnapshot(pool, source, rows);
    return { snapshot, bare, share: snapshot / bare, megabytes };
  } finally {
    source.close();
    await pool.end();
    await asAdmin(postgresUrl, `DROP DATABASE ${name}`);
  }
}

/** Written as it is read, so that the source holds no more than the consumer does. */
async function serveUsers(rows: number): Promise<Server> {
  const server = createServer(async (_, response) => {
    for (let from = 0; from < rows; from += 1_000) {
      const page = Array.from({ length: Math.min(1_000, rows - from) }, (__, at) => userText(from + at)).join(
        ",",
      );
      const flows = response.write(`${from === 0 ? "[" : ","}${page}`);
      if (!flows) await new Promise((resolve) => response.once("drain", resolve));
    }
    response.end("]");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

function userText(at: number): string {
  const id = `user-${String(at).padStart(16, "0")}`;
  return `{"user_id":"${id}","username":"name-${at}","display_name":"Display Name ${at}","_version":1}`;
}

/** The rows lie in the server already and go through COPY's text form twice: without a network or a client to wait for. */
async function runBare(pool: pg.Pool, rows: number): Promise<number> {
  const file = `bench_${randomUUID()}.copy`;
  await pool.query(`COPY (SELECT 'user-' || lpad(n::text, 16, '0'), 'name-' || n, 'Display Name ' || n
FROM generate_series(0, ${rows - 1}) AS n) TO '/tmp/${file}'`);
  const client = await pool.connect();
  const started = performance.now();
  await client.query(
    "BEGIN; CREATE TEMPORARY TABLE told (user_id TEXT, username TEXT, display_name TEXT) ON COMMIT DROP",
  );
  await client.query(`COPY told FROM '/tmp/${file}'`);
  await client.query(`INSERT INTO bare_cache (user_id, username, display_name) SELECT * FROM told
ON CONFLICT (user_id) DO UPDATE SET username = excluded.username, display_name = excluded.display_name,
  synced_at = CURRENT_TIMESTAMP`);
  await client.query("COMMIT");
  const rate = (rows * 1_000) / (performance.now() - started);
  client.release();
  return rate;
}

async function runSnapshot(pool: pg.Pool, source: Server, rows: number) {
  const { port } = source.address() as AddressInfo;
  let highest = 0;
  const sampler = setInterval(() => {
    highest = Math.max(highest, process.memoryUsage().rss);
  }, 20);
  const started = performance.now();
  const report = await takeSnapshot({
    pool,
    model: buildModel(sfsUserConsumer()),
    env: { AUTH_SERVICE_URL: `http://127.0.0.1:${port}`, SERVICE_KEY: "bench" },
    logger: quiet,
    signal: new AbortController().signal,
    noteSeq: async () => 1,
    exclusively: createLane(),
    onTasks: () => undefined,
  });
  const rate = (rows * 1_000) / (performance.now() - started);
  clearInterval(sampler);
  if (report?.written !== rows) throw new Error(`${report?.written} rows were written, not ${rows}`);
  return { rate, megabytes: Math.round(highest / 1024 / 1024) };
}

async function asAdmin(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(statement);
  await client.end();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , postgresUrl = "", rows = "100000"] = process.argv;
  const result = await benchSnapshot({ postgresUrl, rows: Number(rows) });
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
}
