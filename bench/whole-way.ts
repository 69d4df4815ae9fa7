import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { connectJetStream } from "../runtime/broker/jetstream.js";
import { startConsumer } from "../runtime/consumer/consumer.js";
import { startRelay } from "../runtime/outbox/relay.js";
import { silent } from "../test/support/loggers.js";
import { startByHand } from "./by-hand.js";
import { definitionOn, perSecond, planOf } from "./consumer.js";
import { betweenEnds, type Ends, type Way } from "./ends.js";
import { type Row, row } from "./row.js";
import type { Bench, Section, Servers } from "./section.js";

export const wholeWay: Section = {
  name: "whole-way",
  about: `From a row in one database to its copy in another: writer, trigger, outbox, relay, broker, consumer and both databases, all on this
machine, and all of them but the servers in one process. The clock stops when the last row is in the copy. By hand means an outbox table that the writer's own
statement fills, a publisher that sends up to 500 of its rows at a time and then deletes them, and a subscriber that upserts what has arrived, up to 500 events per statement,
and then acks: without versions, dead letters, several replicas and what else the runtime promises. [peers](#peers) has other libraries on the same way.`,
  measure: async (bench) => [
    await measureWriting(bench, {
      what: "rows written in batches of 500",
      count: bench.by({ smoke: 500, short: 10_000, full: 40_000 }),
      batch: 500,
      writers: 1,
      rounds: bench.rounds,
      // Twice what was measured on the machine of docs/performance.md before: 20,800/s.
      atLeast: 41_600,
    }),
    await measureWriting(bench, {
      what: "rows written one by one, by 8 writers",
      count: bench.by({ smoke: 160, short: 4_000, full: 12_000 }),
      batch: 1,
      writers: 8,
      rounds: bench.roundsOfMany,
    }),
  ],
};

interface Measured extends Written {
  readonly what: string;
  readonly rounds: number;
  readonly atLeast?: number;
}

async function measureWriting(bench: Bench, { what, rounds, atLeast, ...written }: Measured): Promise<Row> {
  const servers = await bench.servers();
  const rates: Record<"runtime" | "byHand", number[]> = { runtime: [], byHand: [] };
  for (let round = 0; round < rounds; round += 1) {
    rates.byHand.push(await timeWay(servers, written, startByHand));
    rates.runtime.push(await timeWay(servers, written, startRuntime));
  }
  return row({
    what,
    unit: "/s",
    samples: rates.runtime,
    yardstick: { what: "by hand, per batch", samples: rates.byHand },
    ...(atLeast !== undefined && { goal: { of: "value", atLeast } }),
  });
}

/** Rows, as many per transaction as `batch`, by so many writers at once. */
export interface Written {
  readonly count: number;
  readonly batch: number;
  readonly writers: number;
}

/** Rows per second from the first one that is written to the last one that is applied. */
export async function timeWay(
  servers: Servers,
  written: Written,
  start: (ends: Ends) => Promise<Way>,
): Promise<number> {
  return await betweenEnds(servers, async (ends) => {
    const { owner, copy } = ends;
    const way = await start(ends);
    const started = performance.now();
    await writeAll(owner, written, way.write);
    while (way.applied() < written.count) await sleep(2);
    const rate = perSecond(written.count, started);
    await way.stop();
    const { rows } = await copy.query<{ users: number }>("SELECT count(*)::integer AS users FROM user_cache");
    if (rows[0]?.users !== written.count)
      throw new Error(`${rows[0]?.users} users in the copy, not ${written.count}`);
    return rate;
  });
}

async function writeAll(
  pool: pg.Pool,
  { count, batch, writers }: Written,
  write: Way["write"],
): Promise<void> {
  let next = 0;
  const writer = async () => {
    const client = await pool.connect();
    while (next < count) {
      const places = Array.from({ length: Math.min(batch, count - next) }, (_, at) => next + at);
      next += places.length;
      await write(client, [
        places.map((at) => `user-${String(at).padStart(16, "0")}`),
        places.map((at) => `name-${at}`),
        places.map((at) => `Display Name ${at}`),
      ]);
    }
    client.release();
  };
  await Promise.all(Array.from({ length: writers }, writer));
}

export async function startRuntime({ natsUrl, token, owner, copy }: Ends): Promise<Way> {
  const broker = await connectJetStream({ url: natsUrl, name: token, logger: silent });
  const definition = definitionOn(token);
  const { stream } = definition;
  await broker.ensureStream(stream);
  await broker.ensureConsumer(planOf(definition));
  const service = { name: token, stream, publishes: stream.subjects };
  const relay = startRelay({ pool: owner, broker, service, logger: silent });
  const consumer = startConsumer({ pool: copy, broker, definition, env: {}, logger: silent });
  while (!relay.stats().leader || !consumer.stats().connected) await sleep(20);
  return {
    write: (client, users) =>
      client.query({
        name: "write",
        text: "INSERT INTO users (user_id, username, display_name) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])",
        values: [...users],
      }),
    applied: () => consumer.stats().applied,
    stop: async () => {
      await consumer.stop();
      await relay.stop();
      await broker.close();
    },
  };
}
