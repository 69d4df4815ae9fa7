import pg from "pg";
import {
  definitionOn,
  fresh,
  perSecond,
  publishEvents,
  runReceiving,
  runRuntime,
  verifyUsers,
} from "./consumer.js";
import { type FilledStream, withFilledStream } from "./filled-stream.js";
import { type Row, row } from "./row.js";
import type { Section } from "./section.js";

export const connections: Section = {
  name: "connections",
  about: `The transactions of a consumer alone: what it sent to the database while it applied the events is sent again, from memory, over 1, 2
and 4 connections, split by user. No broker, no parsing, no deciding: what the database itself can do. Beside it the consumer, which is held against the slower
of the two that it is made of: these statements over one connection, and receiving, parsing, validating and acking without applying.`,
  plots: [
    {
      name: "connections",
      title: "Events per second of the statements alone, against the number of connections",
      x: "connections",
      y: "events per second",
    },
  ],
  measure: async (bench) => {
    const events = bench.by({ smoke: 600, short: 24_000, full: 150_000 });
    return await withFilledStream(await bench.servers(), events, async (stream) => {
      const parts = await recordParts(stream);
      const rows: Row[] = [];
      for (const count of [1, 2, 4]) {
        const alone: number[] = [];
        const runtime: number[] = [];
        const receiving: number[] = [];
        for (let round = 0; round < bench.roundsOfMany; round += 1) {
          alone.push(await replay(stream, parts, count));
          runtime.push(await fresh(stream, `beside_${count}_${round}`, runRuntime));
          if (count === 1) receiving.push(await fresh(stream, `receiving_${round}`, runReceiving));
        }
        if (count === 1) rows.push(toSlower({ runtime, alone, receiving }));
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

type Rates = Readonly<Record<"runtime" | "alone" | "receiving", readonly number[]>>;

function toSlower({ runtime, alone, receiving }: Rates): Row {
  return row({
    what: "events applied, to the slower of receiving alone and the statements alone",
    unit: "/s",
    samples: runtime,
    yardstick: {
      what: "the slower of the two",
      samples: alone.map((rate, round) => Math.min(rate, receiving[round] ?? rate)),
    },
    goal: { of: "ratio", atLeast: 0.8 },
  });
}

/** The statements of one transaction, or one that commits by itself. */
type Transaction = readonly pg.QueryConfig[];

interface Part {
  /** The statements write nothing but for this durable, at the sequence offset that it had. */
  readonly durable: string;
  readonly offset: string;
  readonly transactions: readonly Transaction[];
}

/** As many as the most connections. */
const PARTS = 4;

/**
 * What the consumer sends for a quarter of the users, for each of the quarters: transactions over several connections would wait for each
 * other at the same user.
 */
async function recordParts(stream: FilledStream): Promise<readonly Part[]> {
  const count = stream.events / PARTS;
  const parts: Part[] = [];
  await stream.pool.query("TRUNCATE user_cache, mesh.applied, mesh.subscription");
  for (let part = 0; part < PARTS; part += 1) {
    const definition = { ...definitionOn(`${stream.token}_${part}`), durable: `part_${part}` };
    await stream.broker.ensureStream(definition.stream);
    await publishEvents(stream.servers.natsUrl, definition.stream.name, { count, first: part * count });
    const { durable } = definition;
    const transactions = await recordRun({ ...stream, definition, events: count });
    const { rows } = await stream.pool.query<{ seq_offset: string }>(
      "SELECT seq_offset FROM mesh.subscription WHERE durable = $1",
      [durable],
    );
    parts.push({ durable, offset: rows[0]?.seq_offset ?? "0", transactions });
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

async function replay(stream: FilledStream, parts: readonly Part[], connections: number): Promise<number> {
  await stream.pool.query("TRUNCATE user_cache, mesh.applied");
  await stream.pool.query(
    `INSERT INTO mesh.subscription (durable, stream, seq_offset) SELECT durable, $3, seq_offset
FROM unnest($1::text[], $2::bigint[]) AS part (durable, seq_offset) ON CONFLICT DO NOTHING`,
    [parts.map(({ durable }) => durable), parts.map(({ offset }) => offset), stream.token],
  );
  const clients = Array.from({ length: connections }, () => {
    return new pg.Client({ connectionString: stream.database, options: "-c TimeZone=UTC" });
  });
  try {
    await Promise.all(clients.map((client) => client.connect()));
    const started = performance.now();
    await Promise.all(
      clients.map((client, at) =>
        sendAll(
          client,
          parts.filter((_, part) => part % connections === at).flatMap(({ transactions }) => transactions),
        ),
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
