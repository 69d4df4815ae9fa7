import { type ChildProcess, fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { createMeshDatabase, dropAll } from "./database.js";
import { NODE_ARGUMENTS } from "./node-arguments.js";
import { type Row, row } from "./row.js";
import type { Bench, Section, Servers } from "./section.js";

/** Argument that makes this file run as the source's process. */
const SERVE = "serve";
const SELF = fileURLToPath(import.meta.url);
const OWNER = fileURLToPath(new URL("snapshot/owner.mjs", import.meta.url));
const COPIER = fileURLToPath(new URL("snapshot/copier.mjs", import.meta.url));

const TABLES = `
CREATE TABLE user_cache (user_id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE,
  display_name TEXT NOT NULL DEFAULT '', synced_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE bare_cache (LIKE user_cache INCLUDING ALL);
INSERT INTO mesh.subscription (durable, stream) VALUES ('sfs_auth_user', 'AUTH');`;

/** More rows take minutes, and vary little; nor does memory grow with them. */
const MOST_TWICE = 1_000_000;

const OWNED = `
CREATE TABLE users (user_id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE, display_name TEXT NOT NULL DEFAULT '',
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);`;

export const snapshot: Section = {
  name: "snapshot",
  about: `A copy that is filled over HTTP, by a process that loads the runtime alone. The first source only makes rows up, as an owner on another machine, which
costs this one nothing; the yardstick of that is one bare COPY and one set-based upsert of the same rows, which are in a file on the database's disk already: no network, no
client. The second is an owner with a database on this machine, of which an unchanged copy is checked: both have PostgreSQL make digests, and no row travels.`,
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
  const rounds = size > MOST_TWICE ? 1 : roundsOfMany;
  const { bare, copied, checked, megabytes } = await contest(await servers(), size, rounds);
  const named = `${size.toLocaleString("en-US")} users`;
  return [
    row({
      what: `${named} copied`,
      unit: "/s",
      samples: copied,
      yardstick: { what: "bare COPY and upsert", samples: bare },
      ...(size >= 1_000_000 && { goal: { of: "ratio", atLeast: 0.6 } }),
      plot: { plot: "copies", line: "copied", x: size },
    }),
    row({
      what: `${named}, unchanged, checked`,
      unit: "/s",
      samples: checked,
      yardstick: { what: "copied", samples: copied },
      ...(size >= 1_000_000 && { goal: { of: "ratio", atLeast: 3 } }),
      plot: { plot: "copies", line: "unchanged, checked", x: size },
    }),
    ...(megabytes.length === 0
      ? []
      : [
          row({
            what: `${named}, highest memory of owner and copier together`,
            unit: "MB",
            samples: megabytes,
            goal: { of: "value", atMost: 200 },
          }),
        ]),
  ];
}

interface Contest {
  readonly bare: number[];
  readonly copied: number[];
  readonly checked: number[];
  readonly megabytes: number[];
}

async function contest(servers: Servers, rows: number, rounds: number): Promise<Contest> {
  const name = `bench${randomUUID().slice(0, 8)}`;
  const database = await createMeshDatabase(servers, name, TABLES);
  const owned = await createMeshDatabase(servers, `${name}_owner`, OWNED);
  await fillOwner(owned, rows);
  const pool = new pg.Pool({ connectionString: database, max: 4, options: "-c TimeZone=UTC" });
  const source = await start<number>(SELF, [SERVE, String(rows)], {}, NODE_ARGUMENTS);
  const taken: Contest = { bare: [], copied: [], checked: [], megabytes: [] };
  try {
    for (let round = 0; round < rounds; round += 1) {
      taken.bare.push(await runBare(pool, rows));
      await startAnew(pool);
      const [owner, copier] = [
        await start<{ readonly url: string }>(OWNER, [], { DATABASE_URL: owned }),
        await start<string>(COPIER, [], { DATABASE_URL: database }),
      ];
      const first = await takeSnapshot(copier, `http://127.0.0.1:${source.said}`, { rows, written: rows });
      taken.copied.push(rows / first.seconds);
      const again = await takeSnapshot(copier, owner.said.url, { rows, written: 0 });
      taken.checked.push(rows / again.seconds);
      if (rows <= MOST_TWICE) {
        await startAnew(pool);
        const { memory } = await takeSnapshot(copier, owner.said.url, { rows, written: rows });
        const ofOwner = await ask<{ readonly memory: number }>(owner, "memory");
        taken.megabytes.push(Math.round((memory + ofOwner.memory) / 1024 / 1024));
      }
      await Promise.all([end(owner), end(copier)]);
    }
    return taken;
  } finally {
    await end(source);
    await pool.end();
    await dropAll(servers, name);
    await dropAll(servers, `${name}_owner`);
  }
}
/** Without triggers: what a copy reads is there, and no event of it. */
async function fillOwner(url: string, rows: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`INSERT INTO users (user_id, username, display_name)
SELECT 'user-' || lpad(n::text, 16, '0'), 'name-' || n, 'Display Name ' || n FROM generate_series(0, ${rows - 1}) AS n`);
  await client.query(
    `INSERT INTO mesh.entity_version (entity, entity_id, version) SELECT 'auth.user', user_id, 1 FROM users`,
  );
  await client.query("VACUUM ANALYZE users, mesh.entity_version");
  await client.end();
}

async function startAnew(pool: pg.Pool): Promise<void> {
  await pool.query("TRUNCATE user_cache, bare_cache, mesh.applied");
  // An owner is asked for digests once a snapshot has succeeded.
  await pool.query("UPDATE mesh.subscription SET snapshot_at = NULL");
}

interface Started<T> {
  readonly process: ChildProcess;
  /** What it said first. */
  readonly said: T;
}

async function start<T>(
  file: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  execArgv: readonly string[] = [],
): Promise<Started<T>> {
  const child = fork(file, args, { env: { ...process.env, ...env }, execArgv: [...execArgv] });
  return { process: child, said: await nextOf<T>(child) };
}

async function ask<T>({ process: child }: Started<unknown>, question: string): Promise<T> {
  child.send(question);
  return await nextOf<T>(child);
}

async function nextOf<T>(child: ChildProcess): Promise<T> {
  const exited = new AbortController();
  const { signal } = exited;
  const exits = once(child, "exit", { signal }).then(([code]) => {
    throw new Error(`a process of the snapshot exited with ${code}`);
  });
  try {
    const [said] = await Promise.race([once(child, "message", { signal }), exits]);
    return said as T;
  } finally {
    exited.abort();
    exits.catch(() => undefined);
  }
}

async function end({ process: child }: Started<unknown>): Promise<void> {
  const ended = once(child, "exit");
  child.disconnect();
  await ended;
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

interface Taken {
  readonly rows: number;
  readonly written: number;
  readonly seconds: number;
  /** Highest of the process so far, in bytes. */
  readonly memory: number;
}

async function takeSnapshot(
  copier: Started<unknown>,
  url: string,
  { rows, written }: Pick<Taken, "rows" | "written">,
): Promise<Taken> {
  const taken = await ask<Taken>(copier, url);
  if (taken.rows !== rows || taken.written !== written)
    throw new Error(`${taken.written} of ${taken.rows} rows were written, not ${written} of ${rows}`);
  return taken;
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv[2] === SERVE)
  serveUsers(Number(process.argv[3]));
