import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { sfsUserConsumer } from "../generated/sfs/consumers/auth-user.js";
import { createMutex } from "../runtime/database/mutex.js";
import { buildModel } from "../runtime/inbox/consumer-model.js";
import { takeSnapshot } from "../runtime/resync/snapshot.js";
import { meshMigrations } from "../runtime/schema/files.js";
import { silent } from "../test/support/loggers.js";
import { median } from "./report.js";

/*
 * A snapshot over HTTP against one bare COPY and one set-based upsert of the same rows, in turns. The
 * source is a process of its own, as in a mesh.
 */

export interface SnapshotBenchOptions {
  readonly postgresUrl: string;
  readonly rows?: number;
  readonly rounds?: number;
}

export interface SnapshotBench {
  /** Rows per second, medians. */
  readonly snapshot: number;
  readonly bare: number;
  /** Budget: at least 0.5. */
  readonly share: number;
  /** Highest resident size of the process that takes it. Budget: 200. */
  readonly megabytes: number;
}

/** Argument that makes this file run as the source's process. */
const SERVE = "serve";

const TABLES = `
CREATE TABLE user_cache (user_id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE,
  display_name TEXT NOT NULL DEFAULT '', synced_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE bare_cache (LIKE user_cache INCLUDING ALL);
CREATE TABLE namespaces (namespace_id TEXT PRIMARY KEY, owner_id TEXT);
CREATE TABLE files (file_id TEXT PRIMARY KEY, uploader_id TEXT);
INSERT INTO mesh.subscription (durable, stream) VALUES ('sfs_auth_user', 'AUTH');`;

export async function benchSnapshot({
  postgresUrl,
  rows = 100_000,
  rounds = 3,
}: SnapshotBenchOptions): Promise<SnapshotBench> {
  const name = `bench${randomUUID().slice(0, 8)}`;
  await asAdmin(postgresUrl, `CREATE DATABASE ${name}`);
  const url = new URL(postgresUrl);
  url.pathname = `/${name}`;
  const pool = new pg.Pool({ connectionString: url.href, max: 4, options: "-c TimeZone=UTC" });
  const source = await startSource(rows);
  try {
    await pool.query(`CREATE SCHEMA mesh; ${meshMigrations.map(({ text }) => text).join("")}; ${TABLES}`);
    const rates = { bare: [] as number[], snapshot: [] as number[] };
    let megabytes = 0;
    for (let round = 0; round < rounds; round += 1) {
      await pool.query("TRUNCATE user_cache, bare_cache, mesh.applied");
      rates.bare.push(await runBare(pool, rows));
      const taken = await runSnapshot(pool, source.port, rows);
      rates.snapshot.push(taken.rate);
      megabytes = Math.max(megabytes, taken.megabytes);
    }
    const [bare, snapshot] = [median(rates.bare), median(rates.snapshot)];
    return { snapshot, bare, share: snapshot / bare, megabytes };
  } finally {
    source.process.disconnect();
    await pool.end();
    await asAdmin(postgresUrl, `DROP DATABASE ${name}`);
  }
}

interface Source {
  readonly process: ChildProcess;
  readonly port: number;
}

async function startSource(rows: number): Promise<Source> {
  const child = fork(fileURLToPath(import.meta.url), [SERVE, String(rows)]);
  const [port] = (await once(child, "message")) as [number];
  return { process: child, port };
}

/** The source's process: streams the list until its parent ends it. */
function serveUsers(rows: number): void {
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
  server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
  process.once("disconnect", () => process.exit());
}

function userText(at: number): string {
  const id = `user-${String(at).padStart(16, "0")}`;
  return `{"user_id":"${id}","username":"name-${at}","display_name":"Display Name ${at}","_version":1,"_first_version":1}`;
}

/** The rows are in the server already and pass through COPY's text form twice, without a network or a client. */
async function runBare(pool: pg.Pool, rows: number): Promise<number> {
  const file = `bench_${randomUUID()}.copy`;
  await pool.query(`COPY (SELECT 'user-' || lpad(n::text, 16, '0'), 'name-' || n, 'Display Name ' || n
FROM generate_series(0, ${rows - 1}) AS n) TO '/tmp/${file}'`);
  const client = await pool.connect();
  const started = performance.now();
  await client.query(
    "BEGIN; CREATE TEMPORARY TABLE listed (user_id TEXT, username TEXT, display_name TEXT) ON COMMIT DROP",
  );
  await client.query(`COPY listed FROM '/tmp/${file}'`);
  await client.query(`INSERT INTO bare_cache (user_id, username, display_name) SELECT * FROM listed
ON CONFLICT (user_id) DO UPDATE SET username = excluded.username, display_name = excluded.display_name,
  synced_at = CURRENT_TIMESTAMP`);
  await client.query("COMMIT");
  const rate = (rows * 1_000) / (performance.now() - started);
  client.release();
  await rm(`/tmp/${file}`, { force: true });
  return rate;
}

async function runSnapshot(pool: pg.Pool, port: number, rows: number) {
  let highest = 0;
  const sampler = setInterval(() => {
    highest = Math.max(highest, process.memoryUsage().rss);
  }, 20);
  const started = performance.now();
  const report = await takeSnapshot({
    pool,
    model: buildModel(sfsUserConsumer()),
    env: { AUTH_SERVICE_URL: `http://127.0.0.1:${port}`, SFS_TO_AUTH_KEY: "bench" },
    logger: silent,
    signal: new AbortController().signal,
    noteSeq: async () => 1,
    exclusively: createMutex(),
    onTasks: () => undefined,
    onPlaceholder: () => undefined,
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
  const [, , first = "", rows = "100000"] = process.argv;
  if (first === SERVE) serveUsers(Number(rows));
  else {
    const result = await benchSnapshot({ postgresUrl: first, rows: Number(rows) });
    process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
  }
}
