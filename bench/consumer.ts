import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { connect, headers } from "nats";
import pg from "pg";
import { authStream, type UserCreated } from "../generated/auth/events.js";
import { sfsUserConsumer } from "../generated/sfs/consumers/auth-user.js";
import type { Broker, ConsumerPlan } from "../runtime/broker/broker.js";
import { connectJetStream } from "../runtime/broker/jetstream.js";
import { startConsumer } from "../runtime/consumer/consumer.js";
import type { ConsumerDefinition } from "../runtime/definition/consumer-definition.js";
import { buildModel } from "../runtime/inbox/consumer-model.js";
import { parseMessage } from "../runtime/inbox/parse.js";
import { meshMigrations } from "../runtime/schema/files.js";
import { silent } from "../test/support/loggers.js";
import { median } from "./report.js";

/*
 * The consumer against its two yardsticks, in turns and in one process: the documented handler (one
 * upsert and one ack per event), and receiving, parsing, validating and acking without applying.
 */

export interface ConsumerBenchOptions {
  readonly postgresUrl: string;
  readonly natsUrl: string;
  readonly events?: number;
  readonly rounds?: number;
}

export interface ConsumerBench {
  /** Events per second, medians. */
  readonly runtime: number;
  readonly documented: number;
  readonly receiving: number;
  /** Budgets: at least 25, and at least 0.8. */
  readonly timesDocumented: number;
  readonly shareOfReceiving: number;
}

const TABLES = `
CREATE TABLE user_cache (user_id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE,
  display_name TEXT NOT NULL DEFAULT '', synced_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE namespaces (namespace_id TEXT PRIMARY KEY, owner_id TEXT);
CREATE TABLE files (file_id TEXT PRIMARY KEY, uploader_id TEXT);`;

export interface Bench {
  readonly pool: pg.Pool;
  readonly broker: Broker;
  readonly definition: ConsumerDefinition;
  readonly events: number;
  /** Default: durations are not measured. */
  readonly onBatch?: Parameters<typeof startConsumer>[0]["onBatch"];
}

/** The consumer of sfs on a stream of its own, which has the name of the bench. */
export function definitionOn(token: string): ConsumerDefinition {
  const { sync: _, ...definition } = sfsUserConsumer();
  const stream = { ...authStream, name: token, subjects: [`${token}.user.*.*`] };
  return { ...definition, stream, filter: `${token}.user.*.*` };
}

export async function benchConsumer(options: ConsumerBenchOptions): Promise<ConsumerBench> {
  const { events = 40_000, rounds = 3 } = options;
  const token = `bench${randomUUID().slice(0, 8)}`;
  const database = await createDatabase(options.postgresUrl, token);
  const pool = new pg.Pool({ connectionString: database, max: 4, options: "-c TimeZone=UTC" });
  const broker = await connectJetStream({ url: options.natsUrl, name: token, logger: silent });
  const definition = definitionOn(token);
  const bench: Bench = { pool, broker, events, definition };
  const rates = { runtime: [] as number[], documented: [] as number[], receiving: [] as number[] };
  try {
    await broker.ensureStream(definition.stream);
    await publishEvents(options.natsUrl, token, events);
    for (let round = 0; round < rounds; round += 1) {
      rates.documented.push(await fresh(bench, `documented_${round}`, runDocumented));
      rates.receiving.push(await fresh(bench, `receiving_${round}`, runReceiving));
      rates.runtime.push(await fresh(bench, `runtime_${round}`, runRuntime));
    }
  } finally {
    await broker.close();
    await pool.end();
    await dropAll(options, token);
  }
  const [runtime, documented, receiving] = [
    median(rates.runtime),
    median(rates.documented),
    median(rates.receiving),
  ];
  return {
    runtime,
    documented,
    receiving,
    timesDocumented: runtime / documented,
    shareOfReceiving: runtime / receiving,
  };
}

/** Of three events two create a user, and the third renames the first of them. */
function userEvent(at: number): { readonly action: string; readonly event: UserCreated } {
  const renames = at % 3 === 2;
  const user = renames ? at - 2 : at;
  const id = `user-${String(user).padStart(16, "0")}`;
  return {
    action: renames ? "updated" : "created",
    event: {
      metadata: {
        event_id: randomUUID(),
        entity_id: id,
        timestamp: 1_705_920_000,
        source: "auth-service",
        version: renames ? 2 : 1,
      },
      user_id: id,
      username: `${renames ? "renamed" : "name"}-${user}`,
      display_name: `Display Name ${user}`,
    },
  };
}

/** `traceparentOf`: the header of the event at a position. Default: events have none. */
export async function publishEvents(
  url: string,
  token: string,
  count: number,
  traceparentOf?: (at: number) => string,
): Promise<void> {
  const client = await connect({ servers: url });
  const jetstream = client.jetstream();
  for (let from = 0; from < count; from += 500) {
    const size = Math.min(500, count - from);
    await Promise.all(
      Array.from({ length: size }, async (_, offset) => {
        const { action, event } = userEvent(from + offset);
        const carried = headers();
        if (traceparentOf) carried.set("traceparent", traceparentOf(from + offset));
        await jetstream.publish(`${token}.user.${event.user_id}.${action}`, JSON.stringify(event), {
          headers: carried,
        });
      }),
    );
  }
  await client.drain();
}

/** Runs with a new durable and empty tables, so that every run does the same work. */
export async function fresh(
  bench: Bench,
  durable: string,
  run: (bench: Bench) => Promise<number>,
): Promise<number> {
  await bench.pool.query("TRUNCATE user_cache, mesh.applied, mesh.subscription");
  return await run({ ...bench, definition: { ...bench.definition, durable } });
}

function planOf(definition: ConsumerDefinition): ConsumerPlan {
  const { durable, stream, filter } = definition;
  const { delivery } = buildModel(definition);
  return {
    stream: stream.name,
    durable,
    filter,
    ackWaitSeconds: delivery.ackWaitSeconds,
    maxAckPending: delivery.maxAckPending,
  };
}

async function runDocumented({ pool, broker, definition, events }: Bench): Promise<number> {
  const count = Math.min(events, 3_000);
  const plan = planOf(definition);
  const model = buildModel(definition);
  await broker.ensureConsumer(plan);
  const subscription = await broker.consume(plan, 500);
  const started = performance.now();
  for (let done = 0; done < count; ) {
    for (const message of await subscription.next(Math.min(500, count - done), 1_000)) {
      const parsed = parseMessage(model, message, message.seq);
      if (!parsed.ok) throw new Error(parsed.rejected.reason);
      const { user_id, username, display_name } = parsed.incoming.payload;
      await pool.query({
        name: "documented",
        text: `INSERT INTO user_cache (user_id, username, display_name, synced_at)
VALUES ($1, $2, $3, CURRENT_TIMESTAMP)
ON CONFLICT (user_id) DO UPDATE SET username = EXCLUDED.username, display_name = EXCLUDED.display_name,
  synced_at = CURRENT_TIMESTAMP`,
        values: [user_id, username, display_name],
      });
      message.ack();
      done += 1;
    }
  }
  const rate = perSecond(count, started);
  await subscription.stop();
  return rate;
}

async function runReceiving({ broker, definition, events }: Bench): Promise<number> {
  const plan = planOf(definition);
  const model = buildModel(definition);
  const { batch } = model.delivery;
  await broker.ensureConsumer(plan);
  const started = performance.now();
  const subscription = await broker.consume(plan, batch * 2);
  for (let done = 0; done < events; ) {
    for (const message of await subscription.next(batch, 1_000)) {
      if (!parseMessage(model, message, message.seq).ok)
        throw new Error("an event of the bench is not valid");
      message.ack();
      done += 1;
    }
  }
  const rate = perSecond(events, started);
  await subscription.stop();
  return rate;
}

export async function runRuntime({ pool, broker, definition, events, onBatch }: Bench): Promise<number> {
  await broker.ensureConsumer(planOf(definition));
  const started = performance.now();
  const consumer = startConsumer({ pool, broker, definition, env: {}, logger: silent, onBatch });
  while (consumer.stats().applied + consumer.stats().stale < events) await sleep(2);
  const rate = perSecond(events, started);
  await consumer.stop();
  const { rows } = await pool.query<{ users: number }>("SELECT count(*)::integer AS users FROM user_cache");
  const users = events - Math.floor(events / 3);
  if (rows[0]?.users !== users) throw new Error(`${rows[0]?.users} users in the cache, not ${users}`);
  return rate;
}

function perSecond(count: number, started: number): number {
  return (count * 1_000) / (performance.now() - started);
}

export async function createDatabase(adminUrl: string, name: string): Promise<string> {
  await asAdmin(adminUrl, `CREATE DATABASE ${name}`);
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  await client.query(`CREATE SCHEMA mesh; ${meshMigrations.map(({ text }) => text).join("")}; ${TABLES}`);
  await client.end();
  return url.href;
}

export async function dropAll(
  { postgresUrl, natsUrl }: Pick<ConsumerBenchOptions, "postgresUrl" | "natsUrl">,
  name: string,
): Promise<void> {
  await asAdmin(postgresUrl, `DROP DATABASE ${name}`);
  const client = await connect({ servers: natsUrl });
  await (await client.jetstreamManager()).streams.delete(name);
  await client.close();
}

async function asAdmin(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(statement);
  await client.end();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , postgresUrl = "", natsUrl = "", events = "40000"] = process.argv;
  const result = await benchConsumer({ postgresUrl, natsUrl, events: Number(events) });
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
}
