import { connect, headers, type NatsConnection } from "nats";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import type { Broker } from "../../runtime/broker/broker.js";
import { connectJetStream } from "../../runtime/broker/jetstream.js";
import { type RunningConsumer, startConsumer } from "../../runtime/consumer/consumer.js";
import { listDeadLetters } from "../../runtime/consumer/dead-letters.js";
import { archiveSampleConsumer } from "../scenarios/emit/exact-values/expected/archive/consumers/lab-sample.js";
import { streamPlan } from "../support/broker-plans.js";
import { type Exact, openExact } from "../support/exact-values.js";
import { silent } from "../support/loggers.js";
import { waitFor } from "../support/servers.js";

/*
 * Values that are nested deeper than somebody's stack: JavaScript's where it walks, PostgreSQL's where it parses. They end
 * as an answer or a dead letter with a reason, and nothing else notices.
 */

let exact: Exact;
let pool: pg.Pool;
let bare: NatsConnection;
let broker: Broker;
let consumer: RunningConsumer;
const stream = streamPlan();
const [prefix] = stream.subjects.map((subject) => subject.split(".")[0] ?? "");
beforeAll(async () => {
  exact = await openExact();
  pool = new pg.Pool({ connectionString: exact.archive.url, max: 4, options: "-c TimeZone=UTC" });
  broker = await connectJetStream({ url: inject("nats"), name: "nesting", logger: silent });
  bare = await connect({ servers: inject("nats") });
  await broker.ensureStream(stream);
  const definition = {
    ...archiveSampleConsumer(),
    stream,
    filter: `${prefix}.sample.*.*`,
    durable: `nesting_${stream.name}`,
  };
  const { sync: _, ...withoutSource } = definition;
  consumer = startConsumer({ pool, broker, definition: withoutSource, env: {}, logger: silent });
  await waitFor(() => consumer.stats().connected);
});
afterAll(async () => {
  await consumer?.stop();
  await bare?.close();
  await broker?.close();
  await pool?.end();
  await exact?.close();
});

const DEPTHS = [1_000, 10_000, 100_000];
const nested = (open: string, inner: string, close: string, depth: number) =>
  open.repeat(depth) + inner + close.repeat(depth);
const SHAPES: Readonly<Record<string, (depth: number) => string>> = {
  arrays: (depth) => nested("[", "1", "]", depth),
  objects: (depth) => nested('{"a":', "1", "}", depth),
};

function body(id: number, doc: string, more: Readonly<Record<string, string>> = {}): string {
  const moment = '"2026-01-01T00:00:00Z"';
  const fields: Record<string, string> = {
    sample_id: `"${id}"`,
    small: "1",
    narrow: "1",
    wide: '"1"',
    ratio: "1",
    flag: "true",
    label: '"x"',
    taken_at: moment,
    due_at: moment,
    seen_at: moment,
    told_at: moment,
    doc,
    tiny: "1",
    price: '"1.00"',
    amount: '"1"',
    born_on: '"2026-01-01"',
    code: '"x"',
    blob: '""',
    tags: "[]",
    counts: "[]",
    totals: "[]",
    ratios: "[]",
    prices: "[]",
    level: "1",
    currency: '"EUR"',
    levels: "[]",
    ...more,
  };
  const metadata = `{"event_id":"e","entity_id":"${id}","timestamp":1,"source":"lab","version":1}`;
  const text = Object.entries(fields).map(([name, value]) => `,"${name}":${value}`);
  return `{"metadata":${metadata}${text.join("")}}`;
}

const isOf = (first: number, id: number) => id >= first && id < first + 100;

async function isKept(doc: string): Promise<boolean> {
  return await pool.query("SELECT $1::jsonb", [doc]).then(
    () => true,
    () => false,
  );
}

async function settled(first: number): Promise<number> {
  const sql = "SELECT FROM sample_cache WHERE sample_id BETWEEN $1 AND $1 + 99";
  const letters = await listDeadLetters(pool);
  const { rowCount } = await pool.query(sql, [first]);
  return (rowCount ?? 0) + letters.filter(({ entityId }) => isOf(first, Number(entityId))).length;
}

async function publish(id: number, text: string): Promise<void> {
  const all = headers();
  await bare.jetstream().publish(`${prefix}.sample.${id}.created`, text, { headers: all });
}

it.each(Object.keys(SHAPES))(
  "in a message, %s: kept exactly as far as PostgreSQL keeps it, else a dead letter, and the next one is applied",
  async (shape) => {
    const make = SHAPES[shape] ?? (() => "");
    const first = shape === "arrays" ? 100 : 200;
    for (const [at, depth] of DEPTHS.entries()) {
      await publish(first + at, body(first + at, make(depth)));
      // In a text field, and in a field that the schema does not know.
      await publish(first + 10 + at, body(first + 10 + at, "{}", { label: make(depth) }));
      await publish(first + 20 + at, body(first + 20 + at, "{}", { unknown: make(depth) }));
    }
    await publish(first + 99, body(first + 99, '{"a":[1.10]}'));
    const kept = await Promise.all(DEPTHS.map((depth) => isKept(make(depth))));
    expect(kept[0]).toBe(true);
    await waitFor(async () => (await settled(first)) === 3 * DEPTHS.length + 1);
    const { rows } = await pool.query<{ sample_id: string; doc: string }>(
      "SELECT sample_id::text, doc::text FROM sample_cache WHERE sample_id BETWEEN $1 AND $1 + 99 ORDER BY sample_cache.sample_id",
      [first],
    );
    const here = rows.map(({ sample_id }) => Number(sample_id) - first);
    expect(here).toEqual([...kept.flatMap((is, at) => (is ? [at] : [])), 20, 21, 22, 99]);
    expect(rows[0]?.doc.replaceAll(" ", "")).toBe(make(1_000));
    const letters = (await listDeadLetters(pool)).filter(({ entityId }) => isOf(first, Number(entityId)));
    for (const { entityId, error, attempts } of letters) {
      const isText = Number(entityId) - first >= 10;
      expect(error).toContain(isText ? "/label must be string" : "stack depth limit exceeded");
      // Trying again changes nothing.
      expect(attempts).toBeLessThan(2);
    }
    expect(letters).toHaveLength(3 + kept.filter((is) => !is).length);
  },
);

describe("in a request", () => {
  it.each(Object.keys(SHAPES))("%s: taken, or refused with a 4xx that is a problem", async (shape) => {
    const make = SHAPES[shape] ?? (() => "");
    for (const depth of DEPTHS) {
      const row = `{"sample_id":"${depth}${shape.length}","doc":${make(depth)}}`;
      const taken = await exact.request("POST", "/api/samples", row);
      if (await isKept(make(depth))) expect(taken.status).toBe(201);
      else expect([taken.status, taken.text]).toEqual([422, expect.stringContaining("stack depth")]);
      for (const wrong of [
        `{"label":${make(depth)}}`,
        make(depth),
        `{"${shape}":${make(depth)}}`,
        "[".repeat(depth),
      ]) {
        const refused = await exact.request("POST", "/api/samples", wrong);
        expect([refused.status >= 400 && refused.status < 500, refused.text.slice(0, 40)]).toEqual([
          true,
          expect.stringContaining('"type":"urn:meshwright:problem:'),
        ]);
      }
    }
    const after = await exact.request("POST", "/api/samples", `{"sample_id":"${shape.length}"}`);
    expect(after.status).toBe(201);
  });
});
