import type pg from "pg";
import type { UserCreated } from "../generated/auth/events.js";
import type { HandlerContext } from "../runtime/definition/hook-definition.js";
import { buildModel } from "../runtime/inbox/consumer-model.js";
import { parseMessage } from "../runtime/inbox/parse.js";
import { measureCascades } from "./cascades.js";
import { type ConsumerRun, fresh, perSecond, planOf, runRuntime } from "./consumer.js";
import { type FilledStream, withFilledStream } from "./filled-stream.js";
import { type Row, row } from "./row.js";
import type { Bench, Section } from "./section.js";

export const reactions: Section = {
  name: "reactions",
  about: `What a consumer does beyond its copy. A hook writes one row per event, in the event's transaction. By hand, per event and safely, means one
transaction for each: whether its id is known, one upsert, the hook's row, COMMIT, and then the ack. Events without versions, as services in other languages send them,
are put in order by the stream. A cascade deletes the 10,000 rows that name a deleted user. Budgets are what the statements alone take, sent from memory.`,
  measure: async (bench) => {
    const servers = await bench.servers();
    const events = bench.by({ smoke: 300, short: 5_000, full: 20_000 });
    return await withFilledStream(servers, events, async (stream) => {
      await stream.pool.query(PROCESSED);
      return [
        ...(await measureHook(bench, stream)),
        ...(await measureUnversioned(bench, stream)),
        await measureCascades(bench, stream),
      ];
    });
  },
};

const PROCESSED = "CREATE TABLE processed (event_id TEXT PRIMARY KEY)";

async function measureHook(bench: Bench, stream: FilledStream): Promise<readonly Row[]> {
  const { definition, pool, events: count } = stream;
  const events = definition.events.map((one) => ({ ...one, handler: addNote }));
  const hooked = { ...stream, definition: { ...definition, events } };
  const rates: Record<"runtime" | "byHand" | "alone", number[]> = { runtime: [], byHand: [], alone: [] };
  const emptied = async (run: () => Promise<number>) => {
    await pool.query("TRUNCATE namespaces, processed");
    return await run();
  };
  for (let round = 0; round < bench.rounds; round += 1) {
    const durable = `hook_${round}`;
    rates.byHand.push(
      await emptied(() => fresh(stream, `${durable}_by_hand`, (run) => runByHand(run, writeNote))),
    );
    rates.alone.push(await emptied(() => writeNotes(stream)));
    rates.runtime.push(await emptied(() => fresh(hooked, durable, runRuntime)));
    await verifyNotes(pool, count);
  }
  const of = { unit: "/s", samples: rates.runtime } as const;
  return [
    row({
      ...of,
      what: "events applied with a hook that writes a row",
      yardstick: { what: "by hand, per event and safely", samples: rates.byHand },
      goal: { of: "ratio", atLeast: 10 },
    }),
    row({
      ...of,
      what: "events applied with a hook, to its statements alone",
      yardstick: { what: "its inserts, one by one", samples: rates.alone },
      goal: { of: "ratio", atLeast: 0.8 },
    }),
  ];
}

type Note = readonly [id: string, user: string];

/** Prepared once per connection, as a careful author would have it. */
const writeNote = (tx: Pick<pg.ClientBase, "query">, note: Note): Promise<unknown> =>
  tx.query({
    name: "note",
    text: "INSERT INTO namespaces (namespace_id, owner_id) VALUES ($1, $2)",
    values: [...note],
  });

async function addNote({ event, tx }: HandlerContext<UserCreated>): Promise<void> {
  await writeNote(tx, [event.metadata.event_id, event.user_id]);
}

/** As many as there are events, in transactions of the size of a batch, on one connection, which waits for each. */
async function writeNotes({ pool, definition, events }: FilledStream): Promise<number> {
  const { batch } = buildModel(definition).delivery;
  const client = await pool.connect();
  const started = performance.now();
  for (let from = 0; from < events; from += batch) {
    await client.query("BEGIN");
    for (let at = from; at < Math.min(from + batch, events); at += 1)
      await writeNote(client, [
        `note-${String(at).padStart(31, "0")}`,
        `user-${String(at).padStart(16, "0")}`,
      ]);
    await client.query("COMMIT");
  }
  const rate = perSecond(events, started);
  client.release();
  await verifyNotes(pool, events);
  return rate;
}

async function verifyNotes(pool: pg.Pool, expected: number): Promise<void> {
  const { rows } = await pool.query<{ notes: number }>("SELECT count(*)::integer AS notes FROM namespaces");
  if (rows[0]?.notes !== expected) throw new Error(`the hooks wrote ${rows[0]?.notes} rows, not ${expected}`);
}

async function measureUnversioned(bench: Bench, versioned: FilledStream): Promise<readonly Row[]> {
  const { servers, events } = versioned;
  const rates: Record<"runtime" | "byHand" | "versioned", number[]> = {
    runtime: [],
    byHand: [],
    versioned: [],
  };
  const measure = async (stream: FilledStream) => {
    for (let round = 0; round < bench.rounds; round += 1) {
      await stream.pool.query("TRUNCATE processed");
      rates.byHand.push(await fresh(stream, `by_hand_${round}`, (run) => runByHand(run)));
      rates.versioned.push(await fresh(versioned, `versioned_${round}`, runRuntime));
      rates.runtime.push(await fresh(stream, `unversioned_${round}`, runRuntime));
    }
  };
  await withFilledStream(
    servers,
    events,
    async (stream) => {
      await stream.pool.query(PROCESSED);
      await measure(stream);
    },
    { versioned: false },
  );
  const of = { unit: "/s", samples: rates.runtime } as const;
  return [
    row({
      ...of,
      what: "events without versions applied",
      yardstick: { what: "by hand, per event and safely", samples: rates.byHand },
      goal: { of: "ratio", atLeast: 10 },
    }),
    row({
      ...of,
      what: "events without versions, to events with them",
      yardstick: { what: "events with versions", samples: rates.versioned },
      goal: { of: "ratio", atLeast: 0.8 },
    }),
  ];
}

/** Most events by hand: it takes many times as long as the runtime. */
const BY_HAND = 2_000;

/** One transaction and one ack for each event, which is passed over where its id is known. */
async function runByHand(
  { pool, broker, definition, events }: ConsumerRun,
  react?: typeof writeNote,
): Promise<number> {
  const count = Math.min(events, BY_HAND);
  const plan = planOf(definition);
  const model = buildModel(definition);
  await broker.ensureConsumer(plan);
  const subscription = await broker.consume(plan, 500);
  const client = await pool.connect();
  const started = performance.now();
  for (let done = 0; done < count; ) {
    for (const message of await subscription.next(Math.min(500, count - done), 1_000)) {
      const parsed = parseMessage(model, message, message.seq);
      if (!parsed.ok) throw new Error(parsed.rejected.reason);
      await applyOne(client, parsed.incoming.event as UserCreated, react);
      message.ack();
      done += 1;
    }
  }
  const rate = perSecond(count, started);
  client.release();
  await subscription.stop();
  return rate;
}

async function applyOne(
  client: pg.PoolClient,
  { metadata, user_id, username, display_name }: UserCreated,
  react?: typeof writeNote,
): Promise<void> {
  await client.query("BEGIN");
  const { rowCount } = await client.query({
    name: "processed",
    text: "INSERT INTO processed (event_id) VALUES ($1) ON CONFLICT DO NOTHING",
    values: [metadata.event_id],
  });
  if (rowCount === 1) {
    await client.query({
      name: "upsert",
      text: `INSERT INTO user_cache (user_id, username, display_name) VALUES ($1, $2, $3)
ON CONFLICT (user_id) DO UPDATE SET username = excluded.username, display_name = excluded.display_name,
  synced_at = CURRENT_TIMESTAMP`,
      values: [user_id, username, display_name],
    });
    await react?.(client, [metadata.event_id, user_id]);
  }
  await client.query("COMMIT");
}
