import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { connectJetStream } from "../runtime/broker/jetstream.js";
import { startConsumer } from "../runtime/consumer/consumer.js";
import { buildModel } from "../runtime/inbox/consumer-model.js";
import { parseMessage } from "../runtime/inbox/parse.js";
import { silent } from "../test/support/loggers.js";
import { definitionOn, perSecond, planOf, verifyUsers } from "./consumer.js";
import { type FilledStream, withFilledStream } from "./filled-stream.js";
import { NODE_ARGUMENTS } from "./node-arguments.js";
import { type Row, row } from "./row.js";
import type { Section } from "./section.js";

export const replicas: Section = {
  name: "replicas",
  about: `Replicas of one service that share a durable and a database, each a process of its own, on as many cores as the machine has. The
yardstick is as many processes that receive, parse, validate and ack, and apply nothing.`,
  // Their processes take longer to load than they apply events.
  forms: ["full"],
  plots: [
    {
      name: "replicas",
      title: "Events applied per second by all replicas, against their number",
      x: "replicas",
      y: "events per second",
    },
  ],
  measure: async (bench) => {
    const counts = bench.by({ smoke: [2], short: [1, 2], full: [1, 2, 4] });
    const events = bench.by({ smoke: 600, short: 20_000, full: 90_000 });
    return await withFilledStream(await bench.servers(), events, async (stream) => {
      const rows: Row[] = [];
      for (const count of counts) rows.push(await measureCount(stream, count, bench.roundsOfMany));
      return rows;
    });
  },
};

async function measureCount(stream: FilledStream, count: number, rounds: number): Promise<Row> {
  const rates: Record<Mode, number[]> = { runtime: [], receiving: [] };
  for (let round = 0; round < rounds; round += 1) {
    for (const mode of ["receiving", "runtime"] as const) {
      await stream.pool.query("TRUNCATE user_cache, mesh.applied, mesh.subscription");
      rates[mode].push(await runTogether(stream, { mode, count, durable: `${mode}_${count}_${round}` }));
    }
  }
  return row({
    what: `${count} ${count === 1 ? "replica" : "replicas"}`,
    unit: "/s",
    samples: rates.runtime,
    yardstick: { what: "receiving alone", samples: rates.receiving },
    plot: { plot: "replicas", line: "applied, all together", x: count },
  });
}

type Mode = "runtime" | "receiving";

interface Cast {
  readonly mode: Mode;
  readonly count: number;
  readonly durable: string;
}

/** From the word to start, which all get at once when they are connected, to the last event. */
async function runTogether(stream: FilledStream, { mode, count, durable }: Cast): Promise<number> {
  const { servers, token, database, events, pool } = stream;
  await stream.broker.ensureConsumer(planOf({ ...stream.definition, durable }));
  const args = ["replica", mode, servers.natsUrl, database, token, durable];
  const children = Array.from({ length: count }, () =>
    fork(fileURLToPath(import.meta.url), args, { execArgv: NODE_ARGUMENTS }),
  );
  try {
    await Promise.all(children.map((child) => once(child, "message")));
    const started = performance.now();
    await settledBy(children, events);
    const rate = perSecond(events, started);
    if (mode === "runtime") await verifyUsers(pool, events);
    return rate;
  } finally {
    await Promise.all(children.map(end));
  }
}

async function settledBy(children: readonly ChildProcess[], events: number): Promise<void> {
  const settled = children.map(() => 0);
  await new Promise<void>((resolve, reject) => {
    for (const [at, child] of children.entries()) {
      child.on("exit", (code) => reject(new Error(`a replica exited with ${code}`)));
      child.on("message", (count) => {
        settled[at] = Number(count);
        if (settled.reduce((sum, one) => sum + one, 0) >= events) resolve();
      });
      child.send("start");
    }
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = once(child, "exit");
  child.disconnect();
  await ended;
}

/** The process of one replica: says "ready", starts when told, and reports how many events it has settled until its parent leaves. */
async function serveReplica(args: readonly string[]): Promise<void> {
  const [mode, natsUrl = "", database = "", token = "", durable = ""] = args;
  const definition = { ...definitionOn(token), durable };
  const pool = new pg.Pool({ connectionString: database, max: 4, options: "-c TimeZone=UTC" });
  const broker = await connectJetStream({ url: natsUrl, name: `${token}_${process.pid}`, logger: silent });
  await broker.streamState(token);
  await pool.query("SELECT 1");
  process.once("disconnect", () => process.exit());
  process.send?.("ready");
  await once(process, "message");
  let settled = () => 0;
  if (mode === "runtime") {
    const consumer = startConsumer({ pool, broker, definition, env: {}, logger: silent });
    settled = () => consumer.stats().applied + consumer.stats().stale;
  } else {
    const model = buildModel(definition);
    const { batch } = model.delivery;
    const subscription = await broker.consume(planOf(definition), batch * 2);
    let received = 0;
    settled = () => received;
    const receive = async () => {
      for (;;)
        for (const message of await subscription.next(batch, 1_000)) {
          if (!parseMessage(model, message, message.seq).ok)
            throw new Error("an event of the bench is not valid");
          message.ack();
          received += 1;
        }
    };
    receive().catch((error) => {
      process.stderr.write(`${error}\n`);
      process.exit(1);
    });
  }
  let told = 0;
  setInterval(() => {
    if (settled() === told) return;
    told = settled();
    process.send?.(told);
  }, 5);
}

if (process.argv[1] === fileURLToPath(import.meta.url) && process.argv[2] === "replica")
  await serveReplica(process.argv.slice(3));
