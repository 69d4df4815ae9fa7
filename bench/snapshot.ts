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
import { silent } from "../test/support/loggers.js";
import { createMeshDatabase, dropAll } from "./database.js";
import { type Row, row } from "./row.js";
import type { Bench, Section, Servers } from "./section.js";

/** Argument that makes this file run as the source's process. */
const SERVE = "serve";

const TABLES = `
CREATE TABLE user_cache (user_id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE,
  display_name TEXT NOT NULL DEFAULT '', synced_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE bare_cache (LIKE user_cache INCLUDING ALL);
CREATE TABLE namespaces (namespace_id TEXT PRIMARY KEY, owner_id TEXT);
CREATE TABLE files (file_id TEXT PRIMARY KEY, uploader_id TEXT);
INSERT INTO mesh.subscription (durable, stream) VALUES ('sfs_auth_user', 'AUTH');`;

export const snapshot: Section = {
  name: "snapshot",
  about: `A copy that is filled over HTTP from its source, which is a process of its own. The yardstick is one bare COPY and one
set-based upsert of the same rows, which are in a file on the database's disk already: no network, no client.`,
  plots: [
    {
      name: "copies",
      title: "Rows copied per second, against the size of the copy",
      x: "rows",
      y: "rows per second",
    },
  ],
  measure: async (bench) => {
    const sizes = bench.by({
      smoke: [2_000],
      short: [10_000, 100_000],
      full: [10_000, 1_000_000, 10_000_000],
    });
    const rows: Row[] = [];
    for (const size of sizes) rows.push(...(await measureSize(bench, size)));
    return rows;
  },
};

async function measureSize({ roundsOfMany, servers }: Bench, size: number): Promise<readonly Row[]> {
  // Ten million rows take minutes, and vary little.
  const { bare, taken } = await contest(await servers(), size, size > 1_000_000 ? 1 : roundsOfMany);
  const named = `${size.toLocaleString("en-US")} users`;
  return [
    row({
      what: `${named} copied`,
      unit: "/s",
      samples: taken.map(({ rate }) => rate),
      yardstick: { what: "bare COPY and upsert", samples: bare },
      ...(size >= 1_000_000 && { goal: { of: "ratio", atLeast: 0.6 } }),
      plot: { plot: "copies", line: "snapshot", x: size },
    }),
    row({
      what: `${named}, unchanged, checked`,
      unit: "/s",
      samples: taken.map(({ checkedRate }) => checkedRate),
      yardstick: { what: "copied", samples: taken.map(({ rate }) => rate) },
      ...(size >= 1_000_000 && { goal: { of: "ratio", atLeast: 3 } }),
      plot: { plot: "copies", line: "unchanged, checked", x: size },
    }),
    row({
      what: `${named}, highest memory of the process that copies them`,
      unit: "MB",
      samples: taken.map(({ megabytes }) => megabytes),
      goal: { of: "value", atMost: 200 },
    }),
  ];
}

interface Taken {
  readonly rate: number;
  readonly checkedRate: number;
  readonly megabytes: number;
}

interface Contest {
  readonly bare: readonly number[];
  readonly taken: readonly Taken[];
}

async function contest(servers: Servers, rows: number, rounds: number): Promise<Contest> {
  const name = `bench${randomUUID().slice(0, 8)}`;
  const database = await createMeshDatabase(servers, name, TABLES);
  const pool = new pg.Pool({ connectionString: database, max: 4, options: "-c TimeZone=UTC" });
  const source = await startSource(rows);
  const bare: number[] = [];
  const taken: Taken[] = [];
  try {
    for (let round = 0; round < rounds; round += 1) {
      await pool.query("TRUNCATE user_cache, bare_cache, mesh.applied");
      bare.push(await runBare(pool, rows));
      const first = await runSnapshot(pool, source.port, { rows, written: rows });
      const again = await runSnapshot(pool, source.port, { rows, written: 0 });
      taken.push({
        rate: first.rate,
        checkedRate: again.rate,
        megabytes: Math.max(first.megabytes, again.megabytes),
      });
    }
    return { bare, taken };
  } finally {
    source.process.disconnect();
    await pool.end();
    await dropAll(servers, name);
  }
}

interface Source {
  readonly process: ChildProcess;
  readonly port: number;
}

async function startSource(rows: number): Promise<Source> {
  const child = fork(fileURLToPath(import.meta.url), [SERVE, String(rows)], {
    execArgv: ["--import", "tsx"],
  });
  const [port] = (await Promise.race([once(child, "message"), failsToStart(child)])) as [number];
  return { process: child, port };
}

async function failsToStart(child: ChildProcess): Promise<never> {
  const [code] = await once(child, "exit");
  throw new Error(`the source of the snapshot exited with ${code}`);
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
  const { rows: counted } = await pool.query<{ users: number }>(
    "SELECT count(*)::integer AS users FROM bare_cache",
  );
  if (counted[0]?.users !== rows) throw new Error(`${counted[0]?.users} rows were written, not ${rows}`);
  return rate;
}

interface Expected {
  readonly rows: number;
  readonly written: number;
}

async function runSnapshot(pool: pg.Pool, port: number, { rows, written }: Expected) {
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
  if (report?.rows !== rows || report.written !== written)
    throw new Error(`${report?.written} of ${report?.rows} rows were written, not ${written} of ${rows}`);
  return { rate, megabytes: Math.round(highest / 1024 / 1024) };
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv[2] === SERVE)
  serveUsers(Number(process.argv[3]));
