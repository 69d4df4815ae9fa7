import { nanoid } from "nanoid";
import pg from "pg";
import { dropAll } from "./database.js";
import { createOwner } from "./owner.js";
import { medians, type Row, row } from "./row.js";
import type { Bench, Section } from "./section.js";

export const trigger: Section = {
  name: "trigger",
  about: `What the outbox trigger costs a writer, on one connection, commit included. The bare insert goes to the same table without a
trigger. By hand means the best that a careful author would write: rows, versions and events in one statement and one round trip.`,
  measure: async (bench) => {
    const servers = await bench.servers();
    const url = await createOwner(servers, DATABASE);
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return await contests(bench, client);
    } finally {
      await client.end();
      await dropAll(servers, DATABASE);
    }
  },
};

const DATABASE = "bench_trigger";

async function contests({ rounds, by }: Bench, client: pg.Client): Promise<readonly Row[]> {
  const turns = by({ smoke: 10, short: 1_000, full: 4_000 });
  const insert = (table: string) => () => insertOne(client, table);
  const within = (table: string) => () => inTransaction(client, insert(table));
  const bare = (what: string, taken: Taken) =>
    row({
      what,
      unit: "ms",
      samples: medians(taken.emitted, rounds),
      yardstick: { what: "the bare insert", samples: medians(taken.reference, rounds) },
      goal: { of: "ratio", atMost: 1.25 },
    });
  const rows = [
    bare(
      "one row per transaction",
      await inTurns(turns, { emitted: insert("users"), reference: insert("bare") }),
    ),
    bare(
      "the same between BEGIN and COMMIT",
      await inTurns(turns, { emitted: within("users"), reference: within("bare") }),
    ),
  ];
  for (const size of [100, 1_000]) {
    const taken = await inTurns(Math.ceil(turns / Math.sqrt(size) / 2), {
      emitted: () => insertMany(client, "users", size),
      reference: () => insertByHand(client, size),
    });
    rows.push(
      row({
        what: `${size.toLocaleString("en-US")} rows in one statement`,
        unit: "ms",
        samples: medians(taken.emitted, rounds),
        yardstick: { what: "by hand", samples: medians(taken.reference, rounds) },
        goal: { of: "ratio", atMost: 1 },
      }),
    );
  }
  await verifyEvents(client);
  return rows;
}

interface Contest {
  readonly emitted: () => Promise<unknown>;
  readonly reference: () => Promise<unknown>;
}

/** Each row that was written with a version has its event. */
async function verifyEvents(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ silent: number }>(
    `SELECT count(*)::integer AS silent
     FROM (SELECT user_id FROM users UNION ALL SELECT entity_id FROM mesh.entity_version) AS written (id)
     WHERE NOT EXISTS (SELECT FROM mesh.outbox WHERE entity_id = id)`,
  );
  if (rows[0]?.silent !== 0) throw new Error(`${rows[0]?.silent} rows of the bench have no event`);
}

interface Taken {
  /** Milliseconds of each turn. */
  readonly emitted: readonly number[];
  readonly reference: readonly number[];
}

/** Alternates both, so that a busy machine slows both; the first tenth is warm-up. */
async function inTurns(times: number, { emitted, reference }: Contest): Promise<Taken> {
  const taken = { emitted: [] as number[], reference: [] as number[] };
  for (let turn = 0; turn < times * 1.1; turn += 1) {
    const [a, b] = [await timed(emitted), await timed(reference)];
    if (turn < times * 0.1) continue;
    taken.emitted.push(a);
    taken.reference.push(b);
  }
  return taken;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
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
