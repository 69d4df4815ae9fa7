import pg from "pg";
import { connectJetStream } from "../runtime/broker/jetstream.js";
import { silent } from "../test/support/loggers.js";
import { CONSUMER_TABLES, type ConsumerRun, runReceiving, runRuntime } from "./consumer.js";
import { createMeshDatabase, dropAll } from "./database.js";
import { type FilledStream, withFilledStream } from "./filled-stream.js";
import { type Row, row } from "./row.js";
import type { Bench, Section } from "./section.js";

/** Events that each subscriber applies, so that each number of them takes about as long. */
const EVENTS = { 1: 60_000, 2: 300, 10: 9_000, 100: 1_500 } as const;

export const subscribers: Section = {
  name: "subscribers",
  about: `Services that subscribe to one stream, each with a durable, a database and connections of its own, all in one process on one core.
A figure is of all of them together. The yardstick is as many that receive, parse, validate and ack, and apply nothing.`,
  plots: [
    {
      name: "subscribers",
      title: "Events applied per second by all subscribers of a stream, against their number",
      x: "subscribers",
      y: "events per second",
    },
  ],
  measure: async (bench) => {
    const counts = bench.by({ smoke: [2], short: [1, 10], full: [1, 10, 100] });
    const rows: Row[] = [];
    for (const count of counts) rows.push(await measureCount(bench, count));
    return rows;
  },
};

async function measureCount(bench: Bench, count: number): Promise<Row> {
  const most = EVENTS[count as keyof typeof EVENTS];
  const events = bench.by({ smoke: 300, short: Math.round(most / 3), full: most });
  return await withFilledStream(await bench.servers(), events, async (stream) => {
    const runs = await subscribe(stream, count);
    const rates: Record<"runtime" | "receiving", number[]> = { runtime: [], receiving: [] };
    for (let round = 0; round < bench.roundsOfMany; round += 1) {
      rates.receiving.push(await together(runs, `receiving_${round}`, runReceiving));
      rates.runtime.push(await together(runs, `runtime_${round}`, runRuntime));
    }
    await Promise.all(runs.map(async ({ pool, broker }) => [await pool.end(), await broker.close()]));
    for (let at = 0; at < count; at += 1) await dropAll(stream.servers, `${stream.token}_${at}`);
    return row({
      what: `${count} ${count === 1 ? "subscriber" : "subscribers"}`,
      unit: "/s",
      samples: rates.runtime,
      yardstick: { what: "receiving alone", samples: rates.receiving },
      plot: { plot: "subscribers", line: "applied, all together", x: count },
    });
  });
}

async function subscribe(stream: FilledStream, count: number): Promise<readonly ConsumerRun[]> {
  const { servers, token, definition, events } = stream;
  const runs: ConsumerRun[] = [];
  for (let at = 0; at < count; at += 1) {
    const database = await createMeshDatabase(servers, `${token}_${at}`, CONSUMER_TABLES);
    const pool = new pg.Pool({ connectionString: database, max: 2, options: "-c TimeZone=UTC" });
    const broker = await connectJetStream({ url: servers.natsUrl, name: `${token}_${at}`, logger: silent });
    runs.push({ pool, broker, definition, events });
  }
  return runs;
}

/** Events per second of all, from the start, which is the same for all, to the end of the last one. */
async function together(
  runs: readonly ConsumerRun[],
  durable: string,
  run: (one: ConsumerRun) => Promise<number>,
): Promise<number> {
  for (const { pool } of runs) await pool.query("TRUNCATE user_cache, mesh.applied, mesh.subscription");
  const rates = await Promise.all(
    runs.map((one, at) => run({ ...one, definition: { ...one.definition, durable: `${durable}_${at}` } })),
  );
  return Math.min(...rates) * runs.length;
}
