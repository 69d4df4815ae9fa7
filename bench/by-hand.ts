import { setTimeout as sleep } from "node:timers/promises";
import { AckPolicy, connect, type JetStreamClient, type JsMsg } from "nats";
import type pg from "pg";
import type { UserCreated } from "../generated/auth/events.js";
import type { Ends, Way } from "./ends.js";

/*
 * The way from a row to its copy as one writes it by hand, set-based throughout: an outbox table, a publisher, a subscriber.
 */

/** Rows of the outbox per read, and events per upsert. */
const BATCH = 500;

const TABLES = `DROP TABLE sessions, users;
CREATE TABLE users (user_id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE, display_name TEXT NOT NULL DEFAULT '',
  created_at TIMESTAMP NOT NULL DEFAULT (CURRENT_TIMESTAMP AT TIME ZONE 'UTC'));
CREATE TABLE outbox (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_id UUID NOT NULL DEFAULT gen_random_uuid(),
  subject TEXT NOT NULL, body TEXT NOT NULL);`;

export async function startByHand({ natsUrl, token, owner, copy }: Ends): Promise<Way> {
  await owner.query(TABLES);
  const client = await connect({ servers: natsUrl, noAsyncTraces: true });
  const manager = await client.jetstreamManager();
  await manager.streams.add({ name: token, subjects: [`${token}.user.*.*`] });
  await manager.consumers.add(token, {
    durable_name: "by_hand",
    ack_policy: AckPolicy.Explicit,
    max_ack_pending: 4 * BATCH,
  });
  const jetstream = client.jetstream();
  const stopping = new AbortController();
  const publishing = publishOutbox(owner, jetstream, stopping.signal);
  let applied = 0;
  const subscribing = applyEvents(copy, jetstream, {
    stream: token,
    signal: stopping.signal,
    onApplied: (events) => {
      applied += events;
    },
  });
  return {
    write: (connection, users) =>
      connection.query({ name: "write", text: writeText(token), values: [...users] }),
    applied: () => applied,
    stop: async () => {
      stopping.abort();
      await Promise.all([publishing, subscribing]);
      await client.close();
    },
  };
}

/** Rows and their events in one statement and one round trip. */
function writeText(token: string): string {
  return `WITH written AS (
  INSERT INTO users (user_id, username, display_name) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
  RETURNING user_id, username, display_name
)
INSERT INTO outbox (subject, body) SELECT '${token}.user.' || user_id || '.created', row_to_json(written)::text FROM written`;
}

async function publishOutbox(pool: pg.Pool, jetstream: JetStreamClient, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const { rows } = await pool.query<{ id: string; event_id: string; subject: string; body: string }>({
      name: "read",
      text: `SELECT id, event_id, subject, body FROM outbox ORDER BY id LIMIT ${BATCH}`,
    });
    if (rows.length === 0) await sleep(2);
    await Promise.all(
      rows.map(({ event_id, subject, body }) => jetstream.publish(subject, body, { msgID: event_id })),
    );
    if (rows.length > 0)
      await pool.query({
        name: "delete",
        text: "DELETE FROM outbox WHERE id = ANY ($1::bigint[])",
        values: [rows.map(({ id }) => id)],
      });
  }
}

interface Subscription {
  readonly stream: string;
  readonly signal: AbortSignal;
  readonly onApplied: (events: number) => void;
}

async function applyEvents(
  pool: pg.Pool,
  jetstream: JetStreamClient,
  { stream, signal, onApplied }: Subscription,
): Promise<void> {
  const consumer = await jetstream.consumers.get(stream, "by_hand");
  const arrived: JsMsg[] = [];
  const messages = await consumer.consume({
    max_messages: 2 * BATCH,
    callback: (message) => {
      arrived.push(message);
    },
  });
  while (!signal.aborted) {
    const batch = arrived.splice(0, BATCH);
    if (batch.length === 0) {
      await sleep(2);
      continue;
    }
    const users = new Map<string, UserCreated>();
    for (const message of batch) {
      const user = message.json<UserCreated>();
      users.set(user.user_id, user);
    }
    const rows = [...users.values()];
    await pool.query({
      name: "upsert",
      text: `INSERT INTO user_cache (user_id, username, display_name) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT (user_id) DO UPDATE SET username = excluded.username, display_name = excluded.display_name,
  synced_at = CURRENT_TIMESTAMP`,
      values: [
        rows.map((user) => user.user_id),
        rows.map((user) => user.username),
        rows.map((user) => user.display_name),
      ],
    });
    for (const message of batch) message.ack();
    onApplied(batch.length);
  }
  await messages.close();
}
