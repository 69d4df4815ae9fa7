import pg from "pg";
import { definitionOn, fresh, perSecond, publishEvents, runRuntime, verifyUsers } from "./consumer.js";
import { type FilledStream, withFilledStream } from "./filled-stream.js";
import { type Row, row } from "./row.js";
import type { Section } from "./section.js";

export const connections: Section = {
  name: "connections",
  about: `The transactions of a consumer alone: what it sent to the database while it applied the events is sent again, from memory, over 1, 2
and 4 connections, split by user. No broker, no parsing, no deciding: what the database itself can do. Beside it the consumer.`,
  plots: [
    {
      name: "connections",
      title: "Events per second of the statements alone, against the number of connections",
      x: "connections",
      y: "events per second",
    },
  ],
  measure: async (bench) => {
    const events = bench.by({ smoke: 600, short: 24_000, full: 60_000 });
    return await withFilledStream(await bench.servers(), events, async (stream) => {
      const parts = await recordParts(stream);
      const rows: Row[] = [];
      for (const count of [1, 2, 4]) {
        const alone: number[] = [];
        const runtime: number[] = [];
        for (let round = 0; round < bench.roundsOfMany; round += 1) {
          alone.push(await replay(stream, parts, count));
          runtime.push(await fresh(stream, `beside_${count}_${round}`, runRuntime));
        }
        rows.push(
          row({
            what: `the statements alone over ${count} ${count === 1 ? "connection" : "connections"}`,
            unit: "/s",
            samples: alone,
            yardstick: { what: "the consumer", samples: runtime },
            plot: { plot: "connections", line: "the statements alone", x: count },
          }),
        );
      }
      return rows;
    });
  },
};

/** The statements of one transaction, or one that commits by itself. */
type Transaction = readonly pg.QueryConfig[];

/** As many as the most connections. */
const PARTS = 4;

/**
 * What the consumer sends for a quarter of the users, for each of the quarters: transactions over several connections would wait for each
 * other at the same user.
 */
async function recordParts(stream: FilledStream): Promise<readonly (readonly Transaction[])[]> {
  const count = stream.events / PARTS;
  const parts: (readonly Transaction[])[] = [];
  await stream.pool.query("TRUNCATE user_cache, mesh.applied, mesh.subscription");
  for (let part = 0; part < PARTS; part += 1) {
    const definition = { ...definitionOn(`${stream.token}_${part}`), durable: `part_${part}` };
    await stream.broker.ensureStream(definition.stream);
    await publishEvents(stream.servers.natsUrl, definition.stream.name, { count, first: part * count });
    parts.push(await recordRun({ ...stream, definition, events: count }));
  }
  return parts;
}

/** Lets the consumer apply its events, and keeps the transactions that wrote to the copy. */
async function recordRun(stream: FilledStream): Promise<readonly Transaction[]> {
  const recorded: Transaction[] = [];
  const pool = new pg.Pool({
    connectionString: stream.database,
    max: 4,
    options: "-c TimeZone=UTC",
    Client: recordingClient((transaction) => {
      if (transaction.some(({ text }) => text.includes("user_cache"))) recorded.push(transaction);
    }),
  });
  try {
    await stream.pool.query("TRUNCATE user_cache");
    await runRuntime({ ...stream, pool });
    return recorded;
  } finally {
    await pool.end();
  }
}

function recordingClient(keep: (transaction: Transaction) => void): typeof pg.Client {
  return class extends pg.Client {
    #open: pg.QueryConfig[] | undefined;

    override query(...args: unknown[]): never {
      this.#note(args);
      return (super.query as (...args: unknown[]) => never).apply(this, args);
    }

    #note([first, values]: readonly unknown[]): void {
      const statement = (typeof first === "string" ? { text: first, values } : first) as pg.QueryConfig;
      if (statement.text === "BEGIN") this.#open = [];
      const transaction = [...(this.#open ?? []), statement];
      if (this.#open !== undefined && statement.text !== "COMMIT") this.#open = transaction;
      else {
        this.#open = undefined;
        keep(transaction);
      }
    }
  };
}

async function replay(
  stream: FilledStream,
  parts: readonly (readonly Transaction[])[],
  connections: number,
): Promise<number> {
  await stream.pool.query("TRUNCATE user_cache, mesh.applied");
  const clients = Array.from({ length: connections }, () => {
    return new pg.Client({ connectionString: stream.database, options: "-c TimeZone=UTC" });
  });
  try {
    await Promise.all(clients.map((client) => client.connect()));
    const started = performance.now();
    await Promise.all(
      clients.map((client, at) =>
        sendAll(client, parts.filter((_, part) => part % connections === at).flat()),
      ),
    );
    const rate = perSecond(stream.events, started);
    await verifyUsers(stream.pool, stream.events);
    return rate;
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
}

async function sendAll(client: pg.Client, transactions: readonly Transaction[]): Promise<void> {
  for (const transaction of transactions)
    await Promise.all(transaction.map((statement) => client.query({ ...statement })));
}
