import { buildModel } from "../runtime/inbox/consumer-model.js";
import { parseMessage } from "../runtime/inbox/parse.js";
import { type ConsumerRun, fresh, perSecond, planOf, runRuntime } from "./consumer.js";
import { withFilledStream } from "./filled-stream.js";
import { type Row, row } from "./row.js";
import type { Bench, Section } from "./section.js";

/** Events that are applied with batches of a size, so that each size takes about as long. */
const SIZES = { 1: 4_000, 10: 20_000, 100: 60_000, 1000: 60_000 } as const;

export const batches: Section = {
  name: "batches",
  about: `Throughput of one replica against the size of its batches (\`delivery.batch\`). By hand means one set-based upsert for each batch,
after the last event of each user was picked, and then its acks: without versions, dead letters and what else the runtime promises.`,
  plots: [
    {
      name: "batches",
      title: "Events applied per second, against the size of batches",
      x: "events per batch",
      y: "events per second",
    },
  ],
  measure: async (bench) => {
    const sizes = bench.by({ smoke: [100], short: [1, 100, 1_000], full: [1, 10, 100, 1_000] });
    const rows: Row[] = [];
    for (const size of sizes) rows.push(await measureSize(bench, size));
    return rows;
  },
};

async function measureSize(bench: Bench, size: number): Promise<Row> {
  const most = SIZES[size as keyof typeof SIZES];
  const events = bench.by({ smoke: 300, short: Math.round(most / 4), full: most });
  return await withFilledStream(await bench.servers(), events, async ({ definition, ...stream }) => {
    const run = { ...stream, definition: { ...definition, delivery: { batch: size } } };
    const runtime: number[] = [];
    const byHand: number[] = [];
    for (let round = 0; round < bench.roundsOfMany; round += 1) {
      byHand.push(await fresh(run, `by_hand_${round}`, (one) => runByHand(one, size)));
      runtime.push(await fresh(run, `runtime_${round}`, runRuntime));
    }
    return row({
      what: `batches of ${size.toLocaleString("en-US")}`,
      unit: "/s",
      samples: runtime,
      yardstick: { what: "by hand, per batch", samples: byHand },
      plot: { plot: "batches", line: "one replica", x: size },
    });
  });
}

async function runByHand({ pool, broker, definition, events }: ConsumerRun, size: number): Promise<number> {
  const plan = planOf(definition);
  const model = buildModel(definition);
  await broker.ensureConsumer(plan);
  const started = performance.now();
  const subscription = await broker.consume(plan, size * 2);
  for (let done = 0; done < events; ) {
    const messages = await subscription.next(size, 1_000);
    const last = new Map<string, readonly unknown[]>();
    for (const message of messages) {
      const parsed = parseMessage(model, message, message.seq);
      if (!parsed.ok) throw new Error(parsed.rejected.reason);
      const { user_id, username, display_name } = parsed.incoming.payload;
      last.set(String(user_id), [user_id, username, display_name]);
    }
    const rows = [...last.values()];
    await pool.query({
      name: "by hand",
      text: `INSERT INTO user_cache (user_id, username, display_name)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT (user_id) DO UPDATE SET username = excluded.username, display_name = excluded.display_name,
  synced_at = CURRENT_TIMESTAMP`,
      values: [0, 1, 2].map((column) => rows.map((values) => values[column])),
    });
    for (const message of messages) message.ack();
    done += messages.length;
  }
  const rate = perSecond(events, started);
  await subscription.stop();
  return rate;
}
