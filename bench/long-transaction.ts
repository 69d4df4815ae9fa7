import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { nanoid } from "nanoid";
import pg from "pg";
import { connectJetStream } from "../runtime/broker/jetstream.js";
import { startConsumer } from "../runtime/consumer/consumer.js";
import { startRelay } from "../runtime/outbox/relay.js";
import { silent } from "../test/support/loggers.js";
import { CONSUMER_TABLES, definitionOn, perSecond, planOf } from "./consumer.js";
import { createMeshDatabase, dropAll } from "./database.js";
import { createOwner } from "./owner.js";
import { median, type Row, row } from "./row.js";
import type { Bench, Section, Servers } from "./section.js";

/*
 * Two ways from owner to copy take turns. In both databases of one of them a transaction is held open that has taken its snapshot: what is
 * deleted or updated there meanwhile stays on the disk, and vacuum can do nothing.
 */

export const longTransaction: Section = {
  name: "long-transaction",
  about: `Transactions held open in owner and copy under load, and then ended: what a report or a dump does. Users are written in transactions of
100 as fast as they arrive in the copy, and one at a time for the latency, in turns with the same way without such a transaction. The full form holds
them for 90 seconds, not for the ten minutes of the goal.`,
  measure: async (bench) => {
    const servers = await bench.servers();
    const [held, free] = [await openWay(servers), await openWay(servers)];
    try {
      return await contest(bench, held, free);
    } finally {
      await held.close();
      await free.close();
    }
  },
};

const BATCH = 100;
const PROBES = 10;

async function contest(bench: Bench, held: Way, free: Way): Promise<readonly Row[]> {
  const users = bench.by({ smoke: BATCH, short: 1_000, full: 5_000 });
  const holdMs = bench.by({ smoke: 500, short: 8_000, full: 90_000 });
  await takeTurns(held, free, users);
  const release = await held.hold();
  const during: Turn[] = [];
  for (const until = performance.now() + holdMs; performance.now() < until || during.length < bench.rounds; )
    during.push(await takeTurns(held, free, users));
  const left = { held: await held.left(), free: await free.left() };
  await release();
  const after: Turn[] = [];
  while (after.length < bench.rounds) after.push(await takeTurns(held, free, users));
  await Promise.all([held.verify(), free.verify()]);
  // What has piled up by the end of the hold counts, not what was there at its beginning.
  const last = during.slice(-Math.max(bench.rounds, Math.ceil(during.length / 2)));
  const compare = (what: string, turns: readonly Turn[], of: "rate" | "latency") =>
    row({
      what,
      unit: of === "rate" ? "/s" : "ms",
      samples: turns.map((turn) => turn.held[of]),
      yardstick: { what: "without the transaction", samples: turns.map((turn) => turn.free[of]) },
      goal: of === "rate" ? { of: "ratio", atLeast: 0.95 } : { of: "ratio", atMost: 1.1 },
    });
  const size = (what: string, of: "outbox" | "bookkeeping") =>
    row({
      what,
      unit: "bytes",
      samples: [left.held[of]],
      yardstick: { what: "without the transaction", samples: [left.free[of]] },
    });
  return [
    compare("insert to copy, while it is held", last, "rate"),
    compare("insert to copy, after its end", after, "rate"),
    compare("latency of one event, while it is held", last, "latency"),
    compare("latency of one event, after its end", after, "latency"),
    size("the outbox at the end of the hold", "outbox"),
    size("the tables of the guard and of the relay at the end of the hold", "bookkeeping"),
    row({
      what: "dead rows of the outbox at the end of the hold",
      unit: "rows",
      samples: [left.held.dead],
      yardstick: { what: "events published", samples: [held.written()] },
    }),
  ];
}

interface Taken {
  /** Events per second from the first insert to the last one in the copy. */
  readonly rate: number;
  /** Of one event, in ms: the median. */
  readonly latency: number;
}
interface Turn {
  readonly held: Taken;
  readonly free: Taken;
}

async function takeTurns(held: Way, free: Way, users: number): Promise<Turn> {
  const first = await free.measure(users);
  return { held: await held.measure(users), free: first };
}

interface Left {
  readonly outbox: number;
  readonly bookkeeping: number;
  readonly dead: number;
}

interface Way {
  measure(users: number): Promise<Taken>;
  /** Opens the transactions; what it resolves to ends them. */
  hold(): Promise<() => Promise<void>>;
  left(): Promise<Left>;
  written(): number;
  /** Each user that was written is in the copy, once. */
  verify(): Promise<void>;
  close(): Promise<void>;
}

async function openWay(servers: Servers): Promise<Way> {
  const token = `bench${randomUUID().slice(0, 8)}`;
  const urls = [
    await createOwner(servers, `${token}_owner`, token),
    await createMeshDatabase(servers, `${token}_copy`, CONSUMER_TABLES),
  ];
  const [owner, copy] = urls.map((connectionString) => new pg.Pool({ connectionString, max: 4 }));
  if (owner === undefined || copy === undefined) throw new Error("no pools");
  const broker = await connectJetStream({ url: servers.natsUrl, name: "bench", logger: silent });
  const definition = definitionOn(token);
  const { stream } = definition;
  await broker.ensureStream(stream);
  await broker.ensureConsumer(planOf(definition));
  const service = { name: token, stream, publishes: stream.subjects };
  const relay = startRelay({ pool: owner, broker, service, logger: silent });
  const consumer = startConsumer({ pool: copy, broker, definition, env: {}, logger: silent });
  while (!relay.stats().leader || !consumer.stats().connected) await sleep(20);

  let written = 0;
  const write = async (count: number) => {
    const ids = Array.from({ length: count }, () => nanoid());
    await owner.query({
      name: "users",
      text: "INSERT INTO users (user_id, username, display_name) SELECT id, id, 'John Doe' FROM unnest($1::text[]) AS id",
      values: [ids],
    });
    written += count;
  };
  const applied = async () => {
    while (consumer.stats().applied < written) await sleep(1);
  };
  return {
    async measure(users) {
      const started = performance.now();
      for (let from = 0; from < users; from += BATCH) await write(BATCH);
      await applied();
      const rate = perSecond(users, started);
      const latencies: number[] = [];
      for (let probe = 0; probe < PROBES; probe += 1) {
        await write(1);
        const committed = performance.now();
        await applied();
        latencies.push(performance.now() - committed);
      }
      return { rate, latency: median(latencies) };
    },
    async hold() {
      const clients = await Promise.all([owner.connect(), copy.connect()]);
      for (const client of clients) {
        await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ");
        await client.query("SELECT count(*) FROM pg_class");
      }
      return async () => {
        for (const client of clients) {
          await client.query("COMMIT");
          client.release();
        }
      };
    },
    left: async () => ({
      outbox: await sizeOf(owner, ["outbox"]),
      bookkeeping:
        (await sizeOf(owner, ["relay", "relay_progress", "entity_version"])) +
        (await sizeOf(copy, ["applied", "subscription"])),
      dead: await deadRows(owner),
    }),
    written: () => written,
    async verify() {
      const { rows } = await copy.query<{ users: number }>(
        "SELECT count(*)::integer AS users FROM user_cache",
      );
      if (rows[0]?.users !== written) throw new Error(`${rows[0]?.users} users in the copy, not ${written}`);
    },
    async close() {
      await consumer.stop();
      await relay.stop();
      await broker.close();
      await Promise.all([owner.end(), copy.end()]);
      await dropAll(servers, `${token}_owner`, stream.name);
      await dropAll(servers, `${token}_copy`);
    },
  };
}

async function sizeOf(pool: pg.Pool, tables: readonly string[]): Promise<number> {
  const { rows } = await pool.query<{ bytes: number }>(
    "SELECT sum(pg_total_relation_size('mesh.' || name))::float8 AS bytes FROM unnest($1::text[]) AS name",
    [tables],
  );
  return rows[0]?.bytes ?? 0;
}

/** The relay's session tells the statistics of its deletions a second later. */
async function deadRows(pool: pg.Pool): Promise<number> {
  for (let turn = 0; ; turn += 1) {
    await sleep(turn === 0 ? 1_500 : 500);
    const { rows } = await pool.query<{ dead: number }>(
      "SELECT n_dead_tup::float8 AS dead FROM pg_stat_user_tables WHERE relid = 'mesh.outbox'::regclass",
    );
    const dead = rows[0]?.dead ?? 0;
    if (dead > 0 || turn === 20) return dead;
  }
}
