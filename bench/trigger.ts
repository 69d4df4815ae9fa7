import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nanoid } from "nanoid";
import pg from "pg";
import { compileMesh } from "../generator/compile.js";
import { emitMigrations } from "../generator/emit/sql/emit-migrations.js";
import { migrate } from "../runtime/schema/index.js";
import { silent } from "../test/support/loggers.js";

/*
 * What the outbox trigger costs a writer. Every figure is a ratio of two things measured in turns in the
 * same run, on one connection, commit included; medians, since a commit waits for the disk.
 */

export interface TriggerBench {
  /** One row per transaction, as one statement that commits by itself: emitted / bare. Budget 1.25. */
  readonly single: Ratio;
  /** The same between BEGIN and COMMIT, as the repositories write: emitted / bare. */
  readonly transaction: Ratio;
  /** Rows in one statement: emitted / the same rows, versions and events written by hand. Budget 1.3. */
  readonly batches: readonly (Ratio & { readonly rows: number; readonly overBare: number })[];
}

export interface Ratio {
  readonly emittedMs: number;
  readonly referenceMs: number;
  readonly ratio: number;
}

/** `url`: an empty database, which it fills and leaves. */
export async function benchTrigger(url: string, rounds = 1_500): Promise<TriggerBench> {
  await prepare(url);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const single = await inTurns(rounds, {
      emitted: () => insertOne(client, "users"),
      reference: () => insertOne(client, "bare"),
    });
    const transaction = await inTurns(rounds, {
      emitted: () => inTransaction(client, () => insertOne(client, "users")),
      reference: () => inTransaction(client, () => insertOne(client, "bare")),
    });
    const batches = [];
    for (const rows of [100, 1_000]) {
      const times = Math.ceil(rounds / Math.sqrt(rows) / 2);
      const against = await inTurns(times, {
        emitted: () => insertMany(client, "users", rows),
        reference: () => insertByHand(client, rows),
      });
      const bare = await inTurns(times, {
        emitted: () => insertMany(client, "users", rows),
        reference: () => insertMany(client, "bare", rows),
      });
      batches.push({ rows, ...against, overBare: bare.ratio });
    }
    return { single, transaction, batches };
  } finally {
    await client.end();
  }
}

const MESH = `
mesh: bench
services:
  auth: { source: auth-service, database: auth_db, publishes: [auth.user.*] }
databases:
  auth_db:
    tables:
      users:
        columns:
          user_id: { type: nanoid, key: true }
          username: { type: text, unique: true }
          display_name: { type: text, default: "" }
          created_at: { type: timestamp, default: now }
subjects:
  auth.user.{id}.created:
    event: UserCreated
    emit: { table: users, on: insert }
    payload: { user_id: nanoid, username: string, display_name: string }
`;

async function prepare(url: string): Promise<void> {
  const { mesh } = compileMesh(MESH, { file: "bench.yaml" });
  if (mesh === undefined) throw new Error("the benchmark's mesh does not compile");
  const templates = await readTemplates();
  const plan = emitMigrations({
    next: mesh,
    existing: {},
    allowDestructive: false,
    templates,
  });
  const folder = await mkdtemp(join(tmpdir(), "mesh-bench-"));
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  try {
    for (const file of plan.files.auth ?? []) await writeFile(join(folder, file.name), file.text);
    await migrate(pool, { service: "auth", migrations: folder, logger: silent });
    await pool.query("CREATE TABLE bare (LIKE users INCLUDING ALL)");
  } finally {
    await pool.end();
    await rm(folder, { recursive: true });
  }
}

async function readTemplates(): Promise<Readonly<Record<string, string>>> {
  const folder = new URL("../templates/sql/", import.meta.url);
  const names = await readdir(folder);
  const texts = names.map(
    async (name) => [`sql/${name}`, await readFile(new URL(name, folder), "utf8")] as const,
  );
  return Object.fromEntries(await Promise.all(texts));
}

interface Contest {
  readonly emitted: () => Promise<unknown>;
  readonly reference: () => Promise<unknown>;
}

/** Alternates both, so that a busy machine slows both; the first tenth is warm-up. */
async function inTurns(times: number, { emitted, reference }: Contest): Promise<Ratio> {
  const taken: [number[], number[]] = [[], []];
  for (let turn = 0; turn < times * 1.1; turn += 1) {
    const [a, b] = [await timed(emitted), await timed(reference)];
    if (turn < times * 0.1) continue;
    taken[0].push(a);
    taken[1].push(b);
  }
  const [emittedMs, referenceMs] = [median(taken[0]), median(taken[1])];
  return { emittedMs, referenceMs, ratio: emittedMs / referenceMs };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

const insertOne = (client: pg.Client, table: string): Promise<unknown> =>
  client.query({
    name: `one ${table}`,
    text: `INSERT INTO ${table} (user_id, username, display_name) VALUES ($1, $2, $3)`,
    values: [nanoid(), nanoid(), "John Doe"],
  });

async function inTransaction(client: pg.Client, work: () => Promise<unknown>): Promise<void> {
  await client.query("BEGIN");
  await work();
  await client.query("COMMIT");
}

const insertMany = (client: pg.Client, table: string, rows: number): Promise<unknown> =>
  client.query({
    name: `many ${table}`,
    text: `INSERT INTO ${table} (user_id, username, display_name) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])`,
    values: people(rows),
  });

/** The best that a careful author would write: rows, versions and events in one statement and one round trip. */
const insertByHand = (client: pg.Client, rows: number): Promise<unknown> =>
  client.query({
    name: "by hand",
    text: `
      WITH person AS (
        SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS person (user_id, username, display_name)
      ), written AS (
        INSERT INTO bare (user_id, username, display_name) SELECT * FROM person
      ), version AS (
        INSERT INTO mesh.entity_version AS known (entity, entity_id, version)
        SELECT 'auth.user', user_id, 1 FROM person
        ON CONFLICT (entity, entity_id) DO UPDATE SET version = known.version + 1
        RETURNING entity_id, version, gen_random_uuid() AS event_id
      )
      INSERT INTO mesh.outbox (event_id, subject, entity, entity_id, version, body)
      SELECT event_id, 'auth.user.' || entity_id || '.created', 'auth.user', entity_id, version,
        json_build_object(
          'metadata', json_build_object('event_id', event_id, 'entity_id', entity_id,
            'timestamp', extract(epoch FROM now())::bigint, 'source', 'auth-service', 'version', version),
          'user_id', user_id, 'username', username, 'display_name', display_name)::text
      FROM version JOIN person ON person.user_id = version.entity_id`,
    values: people(rows),
  });

function people(rows: number): string[][] {
  const column = (value: () => string) => Array.from({ length: rows }, value);
  return [column(() => nanoid()), column(() => nanoid()), column(() => "John Doe")];
}
