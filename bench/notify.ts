import { nanoid } from "nanoid";
import pg from "pg";
import { connectJetStream } from "../runtime/broker/jetstream.js";
import type { StreamDefinition } from "../runtime/definition/stream-definition.js";
import { startRelay } from "../runtime/outbox/relay.js";
import { silent } from "../test/support/loggers.js";
import { dropAll } from "./database.js";
import { createOwner } from "./owner.js";
import { type Row, row } from "./row.js";
import type { Bench, Section, Servers } from "./section.js";

/*
 * A transaction that notifies holds a lock of the whole server from before its commit is flushed until after it: such commits are flushed
 * one by one, where all others share a flush.
 */

export const notify: Section = {
  name: "notify",
  about: `What waking the relay costs writers that commit at once: 64 connections, a user per transaction, beside the relay that publishes
them. The yardstick is the same with triggers that do not notify.`,
  measure: async (bench) => await contest(bench),
};

const WRITERS = 64;

interface Taken {
  readonly rate: number;
  /** 99th percentile of a transaction, in ms. */
  readonly slowest: number;
}

async function contest(bench: Bench): Promise<readonly Row[]> {
  const servers = await bench.servers();
  const count = bench.by({ smoke: 200, short: 8_000, full: 30_000 });
  const notifying: Taken[] = [];
  const silently: Taken[] = [];
  // The first round starts connections and plans.
  for (let round = 0; round <= bench.rounds; round += 1) {
    const taken = [
      await writeUsers(servers, { count }),
      await writeUsers(servers, { count, silently: true }),
    ];
    if (round === 0) continue;
    if (taken[0]) notifying.push(taken[0]);
    if (taken[1]) silently.push(taken[1]);
  }
  return [
    row({
      what: `transactions of ${WRITERS} writers`,
      unit: "/s",
      samples: notifying.map(({ rate }) => rate),
      yardstick: { what: "without NOTIFY", samples: silently.map(({ rate }) => rate) },
      goal: { of: "ratio", atLeast: 0.95 },
    }),
    row({
      what: "99th percentile of a transaction",
      unit: "ms",
      samples: notifying.map(({ slowest }) => slowest),
      yardstick: { what: "without NOTIFY", samples: silently.map(({ slowest }) => slowest) },
      goal: { of: "ratio", atMost: 1.05 },
    }),
  ];
}

interface Work {
  /** Transactions of all writers together. */
  readonly count: number;
  /** Triggers do not notify. */
  readonly silently?: boolean;
}

async function writeUsers(servers: Servers, { count, silently = false }: Work): Promise<Taken> {
  const token = `bench_notify_${Date.now().toString(36)}`;
  const pool = new pg.Pool({ connectionString: await createOwner(servers, token, token), max: WRITERS });
  const broker = await connectJetStream({ url: servers.natsUrl, name: "bench", logger: silent });
  const stream: StreamDefinition = { ...KEPT, name: token, subjects: [`${token}.user.*.*`] };
  try {
    if (silently) await silenceTriggers(pool);
    await broker.ensureStream(stream);
    const service = { name: token, stream, publishes: stream.subjects };
    const relay = startRelay({ pool, broker, service, logger: silent });
    while (!relay.stats().leader || relay.stats().paused) await new Promise((wake) => setTimeout(wake, 20));
    const taken = await runWriters(pool, count);
    while (relay.stats().published < count) await new Promise((wake) => setTimeout(wake, 5));
    await relay.stop();
    const stored = await broker.streamState(stream.name);
    if (stored?.messages !== count)
      throw new Error(`${stored?.messages} messages in the stream, not ${count}`);
    return taken;
  } finally {
    await pool.end();
    await broker.close();
    await dropAll(servers, token, stream.name);
  }
}

const KEPT = {
  maxAgeSeconds: 3_600,
  maxMessages: 10_000_000,
  maxBytes: 4 * 1_024 ** 3,
  duplicateWindowSeconds: 120,
};

/** Takes NOTIFY out of the functions that write events. */
async function silenceTriggers(pool: pg.Pool): Promise<void> {
  const { rows } = await pool.query<{ text: string }>(
    "SELECT pg_get_functiondef(oid) AS text FROM pg_proc WHERE pronamespace = 'mesh'::regnamespace AND prosrc LIKE '%pg_notify(''mesh_outbox''%'",
  );
  if (rows.length === 0) throw new Error("no function notifies");
  for (const { text } of rows)
    await pool.query(text.replaceAll("pg_catalog.pg_notify('mesh_outbox', '')", "NULL"));
}

async function runWriters(pool: pg.Pool, count: number): Promise<Taken> {
  const clients = await Promise.all(Array.from({ length: WRITERS }, () => pool.connect()));
  const took: number[] = [];
  const write = async (client: pg.PoolClient, times: number) => {
    for (let turn = 0; turn < times; turn += 1) {
      const started = performance.now();
      await client.query({
        name: "user",
        text: "INSERT INTO users (user_id, username, display_name) VALUES ($1, $2, 'John Doe')",
        values: [nanoid(), nanoid()],
      });
      took.push(performance.now() - started);
    }
  };
  const shareOf = (at: number) => Math.floor(count / WRITERS) + (at < count % WRITERS ? 1 : 0);
  const started = performance.now();
  await Promise.all(clients.map((client, at) => write(client, shareOf(at))));
  const rate = (count * 1_000) / (performance.now() - started);
  for (const client of clients) client.release();
  took.sort((a, b) => a - b);
  return { rate, slowest: took[Math.floor(took.length * 0.99)] ?? 0 };
}
