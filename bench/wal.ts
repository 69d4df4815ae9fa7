import { nanoid } from "nanoid";
import pg from "pg";
import { dropAll } from "./database.js";
import { createOwner } from "./owner.js";
import { type Row, row } from "./row.js";
import type { Bench, Section } from "./section.js";

export const wal: Section = {
  name: "wal",
  about: `Bytes of write-ahead log that a transaction of one row takes, its event and its commit included: what is flushed, shipped to replicas
and archived. By hand is an outbox of subject, body and time, without counters of versions: it cannot order what it publishes.`,
  measure: async (bench) => {
    const servers = await bench.servers();
    const client = new pg.Client({ connectionString: await createOwner(servers, DATABASE) });
    await client.connect();
    try {
      // As many bytes, and no waiting for the disk.
      await client.query("SET synchronous_commit = off");
      await client.query(BY_HAND);
      return await contests(bench, client);
    } finally {
      await client.end();
      await dropAll(servers, DATABASE);
    }
  },
};

const DATABASE = "bench_wal";

const BY_HAND =
  "CREATE TABLE event (seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, subject TEXT NOT NULL, body TEXT NOT NULL, written_at TIMESTAMPTZ NOT NULL DEFAULT now())";

const byHand = (write: string, action: string) => `
WITH written AS (${write} RETURNING *)
INSERT INTO event (subject, body)
SELECT 'auth.user.' || user_id || '.${action}', json_build_object(
    'metadata', json_build_object('event_id', gen_random_uuid(), 'entity_id', user_id,
      'timestamp', extract(epoch FROM now())::bigint, 'source', 'auth-service', 'version', 1),
    'user_id', user_id, 'username', username, 'display_name', display_name)::text
FROM written`;

interface Verb {
  readonly name: string;
  readonly action: string;
  /** Takes an id, and another text that nobody has. */
  readonly text: (table: string) => string;
  readonly goal?: { readonly of: "value"; readonly atMost: number };
}

const VERBS: readonly Verb[] = [
  {
    name: "insert",
    action: "created",
    text: (table) =>
      `INSERT INTO ${table} (user_id, username, display_name) VALUES ($1, $2::text, 'John Doe')`,
    goal: { of: "value", atMost: 850 },
  },
  {
    name: "update",
    action: "updated",
    text: (table) => `UPDATE ${table} SET display_name = 'Jane ' || left($2, 3) WHERE user_id = $1`,
  },
  {
    name: "delete",
    action: "deleted",
    text: (table) => `DELETE FROM ${table} WHERE user_id = $1 AND $2::text <> ''`,
  },
];

async function contests({ by, rounds }: Bench, client: pg.Client): Promise<readonly Row[]> {
  const count = by({ smoke: 20, short: 500, full: 2_000 });
  const sampled = VERBS.map(() => ({ emitted: [] as number[], byHand: [] as number[] }));
  // The first round fills pages and plans.
  for (let round = 0; round <= rounds; round += 1) {
    const ids = Array.from({ length: count }, () => nanoid());
    for (const [at, { text, action }] of VERBS.entries()) {
      const emitted = await bytesOfEach(client, text("users"), ids);
      const reference = await bytesOfEach(client, byHand(text("bare"), action), ids);
      if (round === 0) continue;
      sampled[at]?.emitted.push(emitted);
      sampled[at]?.byHand.push(reference);
    }
  }
  await verifyEvents(client, (rounds + 1) * count * VERBS.length);
  return VERBS.map(({ name, goal }, at) =>
    row({
      what: `${name} of one row`,
      unit: "bytes",
      samples: sampled[at]?.emitted ?? [],
      yardstick: { what: "by hand, without versions", samples: sampled[at]?.byHand ?? [] },
      ...(goal && { goal }),
    }),
  );
}

/** A transaction for each id. */
async function bytesOfEach(client: pg.Client, text: string, ids: readonly string[]): Promise<number> {
  const from = await position(client);
  for (const id of ids) await client.query({ text, values: [id, nanoid()] });
  return ((await position(client)) - from) / ids.length;
}

async function position(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ bytes: string }>(
    "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS bytes",
  );
  return Number(rows[0]?.bytes);
}

async function verifyEvents(client: pg.Client, count: number): Promise<void> {
  for (const table of ["mesh.outbox", "event"]) {
    const { rows } = await client.query<{ events: number }>(
      `SELECT count(*)::integer AS events FROM ${table}`,
    );
    if (rows[0]?.events !== count) throw new Error(`${rows[0]?.events} events in ${table}, not ${count}`);
  }
}
