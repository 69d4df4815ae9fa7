import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
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
import { silent } from "../test/support/loggers.js";
import { createMeshDatabase, dropAll } from "./database.js";
import { row } from "./row.js";
import type { Bench, Section } from "./section.js";

/*
 * The consumer against its two yardsticks, in turns and in one process: the documented handler (one
 * upsert and one ack per event), and receiving, parsing, validating and acking without applying.
 */

export const CONSUMER_TABLES = `
CREATE TABLE user_cache (user_id TEXT PRIMARY KEY, username TEXT NOT NULL UNIQUE,
  display_name TEXT NOT NULL DEFAULT '', synced_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP);
CREATE TABLE namespaces (namespace_id TEXT PRIMARY KEY, owner_id TEXT);
CREATE TABLE files (file_id TEXT PRIMARY KEY, uploader_id TEXT);`;

export interface ConsumerRun {
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

export const consumer: Section = {
  name: "consumer",
  about: `Events that are in the stream already, applied by one replica to an empty copy. The documented handler does one upsert and one
ack for each event, over the same connection pool; receiving alone is what the runtime does without applying: pull, parse, validate, ack.`,
  measure: async (bench) => {
    const events = bench.by({ smoke: 600, short: 20_000, full: 150_000 });
    const rates = await contest(bench, events);
    const of = { unit: "/s", samples: rates.runtime } as const;
    return [
      row({
        ...of,
        what: "events applied",
        yardstick: { what: "the documented handler", samples: rates.documented },
        goal: { of: "ratio", atLeast: 30 },
      }),
      row({
        ...of,
        what: "events applied, to receiving alone",
        yardstick: { what: "receiving and acking alone", samples: rates.receiving },
      }),
    ];
  },
};

type Rates = Readonly<Record<"runtime" | "documented" | "receiving", number[]>>;

async function contest(bench: Bench, events: number): Promise<Rates> {
  const servers = await bench.servers();
  const token = `bench${randomUUID().slice(0, 8)}`;
  const database = await createMeshDatabase(servers, token, CONSUMER_TABLES);
  const pool = new pg.Pool({ connectionString: database, max: 4, options: "-c TimeZone=UTC" });
  const broker = await connectJetStream({ url: servers.natsUrl, name: token, logger: silent });
  const definition = definitionOn(token);
  const run: ConsumerRun = { pool, broker, events, definition };
  const rates: Rates = { runtime: [], documented: [], receiving: [] };
  try {
    await broker.ensureStream(definition.stream);
    await publishEvents(servers.natsUrl, token, { count: events });
    for (let round = 0; round < bench.rounds; round += 1) {
      rates.documented.push(await fresh(run, `documented_${round}`, runDocumented));
      rates.receiving.push(await fresh(run, `receiving_${round}`, runReceiving));
      rates.runtime.push(await fresh(run, `runtime_${round}`, runRuntime));
    }
  } finally {
    await broker.close();
    await pool.end();
    await dropAll(servers, token, token);
  }
  return rates;
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

export interface Published {
  readonly count: number;
  /** Position of the first one, a multiple of 3: streams that begin elsewhere have other users. Default 0. */
  readonly first?: number;
  /** The header of the event at a position. Default: events have none. */
  readonly traceparentOf?: (at: number) => string;
  /** Default: true. */
  readonly versioned?: boolean;
}

export async function publishEvents(
  url: string,
  token: string,
  { count, first = 0, traceparentOf, versioned = true }: Published,
): Promise<void> {
  const client = await connect({ servers: url });
  const jetstream = client.jetstream();
  for (let from = 0; from < count; from += 500) {
    const size = Math.min(500, count - from);
    await Promise.all(
      Array.from({ length: size }, async (_, offset) => {
        const { action, event } = userEvent(first + from + offset);
        const { version, ...metadata } = event.metadata;
        const sent = { ...event, metadata: versioned ? { ...metadata, version } : metadata };
        const carried = headers();
        if (traceparentOf) carried.set("traceparent", traceparentOf(from + offset));
        await jetstream.publish(`${token}.user.${event.user_id}.${action}`, JSON.stringify(sent), {
          headers: carried,
        });
      }),
    );
  }
  await client.drain();
}

/** Runs with a new durable and empty tables, so that every run does the same work. */
export async function fresh(
  bench: ConsumerRun,
  durable: string,
  run: (bench: ConsumerRun) => Promise<number>,
): Promise<number> {
  await bench.pool.query("TRUNCATE user_cache, mesh.applied, mesh.seen, mesh.subscription");
  return await run({ ...bench, definition: { ...bench.definition, durable } });
}

export function planOf(definition: ConsumerDefinition): ConsumerPlan {
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

async function runDocumented({ pool, broker, definition, events }: ConsumerRun): Promise<number> {
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

export async function runReceiving({ broker, definition, events }: ConsumerRun): Promise<number> {
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

export async function runRuntime({
  pool,
  broker,
  definition,
  events,
  onBatch,
}: ConsumerRun): Promise<number> {
  await broker.ensureConsumer(planOf(definition));
  const started = performance.now();
  const consumer = startConsumer({ pool, broker, definition, env: {}, logger: silent, onBatch });
  while (consumer.stats().applied + consumer.stats().stale < events) await sleep(2);
  const rate = perSecond(events, started);
  await consumer.stop();
  await verifyUsers(pool, events);
  return rate;
}

export function perSecond(count: number, started: number): number {
  return (count * 1_000) / (performance.now() - started);
}

/** Each user that an event speaks of is in the copy, and renamed where an event says so. */
export async function verifyUsers(pool: pg.Pool, events: number): Promise<void> {
  const { rows } = await pool.query<{ users: number; renamed: number }>(
    `SELECT count(*)::integer AS users, (count(*) FILTER (WHERE username LIKE 'renamed-%'))::integer AS renamed FROM user_cache`,
  );
  const renamed = Math.floor(events / 3);
  if (rows[0]?.users === events - renamed && rows[0].renamed === renamed) return;
  throw new Error(
    `of ${events} events the copy has ${rows[0]?.users} users, ${rows[0]?.renamed} of them renamed`,
  );
}
