import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "nats";
import type pg from "pg";
import { files } from "../generated/sfs/tables.js";
import { startConsumer } from "../runtime/consumer/consumer.js";
import { scopeOf } from "../runtime/inbox/scope.js";
import { silent } from "../test/support/loggers.js";
import { perSecond, planOf } from "./consumer.js";
import type { FilledStream } from "./filled-stream.js";
import { type Row, row } from "./row.js";
import type { Bench } from "./section.js";

/*
 * Deletions of users whom many rows name, by cascade and by hand. A row of the section `reactions`.
 */

interface Deletions {
  readonly users: number;
  /** Rows that name each of them. */
  readonly files: number;
}

export async function measureCascades(bench: Bench, stream: FilledStream): Promise<Row> {
  const deletions = {
    users: bench.by({ smoke: 2, short: 5, full: 10 }),
    files: bench.by({ smoke: 100, short: 10_000, full: 10_000 }),
  };
  await stream.pool.query("CREATE INDEX files_uploader_id ON files (uploader_id)");
  const rates: Record<"runtime" | "byHand", number[]> = { runtime: [], byHand: [] };
  for (let round = 0; round < bench.rounds; round += 1) {
    await fill(stream, deletions);
    rates.byHand.push(await deleteByHand(stream.pool, deletions));
    await verifyGone(stream.pool);
    await fill(stream, deletions);
    rates.runtime.push(await deleteByEvents(stream, `cascade_${round}`, deletions));
    await verifyGone(stream.pool);
  }
  return row({
    what: "rows deleted by cascades of 10,000",
    unit: "/s",
    samples: rates.runtime,
    yardstick: { what: "the same DELETEs, a transaction for each user", samples: rates.byHand },
    goal: { of: "ratio", atLeast: 0.8 },
  });
}

const idOf = (user: number): string => `gone-${user}`;

async function fill({ pool, definition }: FilledStream, { users, files: each }: Deletions): Promise<void> {
  await pool.query("TRUNCATE user_cache, files, mesh.applied, mesh.subscription");
  await pool.query(
    `INSERT INTO user_cache (user_id, username) SELECT 'gone-' || at, 'name-' || at FROM generate_series(0, $1::int - 1) AS at`,
    [users],
  );
  await pool.query(
    `INSERT INTO mesh.applied (entity, entity_id, version, versioned, deleted, stream_seq)
SELECT $1, user_id, 1, true, false, 0 FROM user_cache`,
    [scopeOf(definition)],
  );
  await pool.query(
    `INSERT INTO files (file_id, uploader_id) SELECT user_id || '-' || at, user_id
FROM user_cache, generate_series(1, $1::int) AS at`,
    [each],
  );
  // Within a round autovacuum would be at work on one side only.
  await pool.query("VACUUM ANALYZE files");
}

async function deleteByHand(pool: pg.Pool, { users, files: each }: Deletions): Promise<number> {
  const client = await pool.connect();
  const started = performance.now();
  for (let user = 0; user < users; user += 1) {
    await client.query("BEGIN");
    await client.query("DELETE FROM files WHERE uploader_id = $1", [idOf(user)]);
    await client.query("DELETE FROM user_cache WHERE user_id = $1", [idOf(user)]);
    await client.query("COMMIT");
  }
  const rate = perSecond(users * each, started);
  client.release();
  return rate;
}

/** From the first event that is published, to a consumer that waits for it, until all are applied. */
async function deleteByEvents(
  { servers, token, pool, broker, definition }: FilledStream,
  durable: string,
  { users, files: each }: Deletions,
): Promise<number> {
  const cascades = [{ action: "delete", table: files, column: "uploader_id" }] as const;
  const stream = {
    ...definition.stream,
    name: `${token}_${durable}`,
    subjects: [`${token}_${durable}.user.*.*`],
  };
  const deleting = {
    ...definition,
    stream,
    filter: `${token}_${durable}.user.*.*`,
    durable,
    events: definition.events.map((one) => (one.cascades === undefined ? one : { ...one, cascades })),
  };
  await broker.ensureStream(stream);
  await broker.ensureConsumer(planOf(deleting));
  const client = await connect({ servers: servers.natsUrl });
  const jetstream = client.jetstream();
  const consumer = startConsumer({ pool, broker, definition: deleting, env: {}, logger: silent });
  try {
    while (!consumer.stats().connected) await sleep(5);
    const started = performance.now();
    for (let user = 0; user < users; user += 1)
      await jetstream.publish(`${token}_${durable}.user.${idOf(user)}.deleted`, deletionOf(user));
    while (consumer.stats().applied < users) await sleep(1);
    return perSecond(users * each, started);
  } finally {
    await consumer.stop();
    await (await client.jetstreamManager()).streams.delete(stream.name);
    await client.close();
  }
}

function deletionOf(user: number): string {
  const id = idOf(user);
  const metadata = {
    event_id: `00000000-0000-4000-8000-${String(user).padStart(12, "0")}`,
    entity_id: id,
    timestamp: 1_705_920_000,
    source: "auth-service",
    version: 2,
  };
  return JSON.stringify({ metadata, user_id: id, username: `name-${user}` });
}

async function verifyGone(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{ left: number }>(
    "SELECT ((SELECT count(*) FROM files) + (SELECT count(*) FROM user_cache))::integer AS left",
  );
  if (rows[0]?.left !== 0) throw new Error(`${rows[0]?.left} rows are left of users who were deleted`);
}
