import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import Cursor from "pg-cursor";
import { afterAll, beforeAll, beforeEach, expect, inject, it } from "vitest";
import { processBatch } from "../../../runtime/consumer/batch.js";
import type { BatchContext } from "../../../runtime/consumer/batch-context.js";
import type { HandlerContext } from "../../../runtime/definition/hook-definition.js";
import { batchContext, receivedBy } from "../../support/batch-context.js";
import {
  createPool,
  createServiceDatabase,
  deliver,
  type TestDelivery,
  userConsumer,
} from "../../support/user-consumer.js";

/*
 * Hooks of a batch that begin while the last statement of the one before is under way: whatever they do, the database gets what it
 * gets from one at a time.
 */

type Call = HandlerContext<{ readonly user_id: string; readonly metadata: { readonly event_id: string } }>;

let pool: pg.Pool;

beforeAll(async () => {
  pool = createPool(await createServiceDatabase(inject("postgres")));
  await pool.query("CREATE TABLE balance (amount INTEGER NOT NULL)");
});
afterAll(async () => {
  await pool.end();
});
beforeEach(async () => {
  await pool.query("TRUNCATE user_cache, ssh_keys, calls, mesh.applied, mesh.attempt, balance");
  await pool.query("INSERT INTO balance VALUES (0)");
});

/** More than it takes until the next call is expected to be like the ones before. */
const CALLS = 60;

interface Hooked {
  readonly context: BatchContext;
  most: number;
  /** Two of one entity were. */
  overlapped: boolean;
}

/** Hooks that are called so for each event, and how many of them were under way at once at most. */
function hooked(hook: (call: Call) => Promise<unknown>): Hooked {
  const underWay = new Set<string>();
  const handler = async (call: Call) => {
    const { user_id } = call.event;
    if (underWay.has(user_id)) counted.overlapped = true;
    underWay.add(user_id);
    counted.most = Math.max(counted.most, underWay.size);
    try {
      await hook(call);
    } finally {
      underWay.delete(user_id);
    }
  };
  const counted = { context: contextOf(handler as never), most: 0, overlapped: false };
  return counted;
}

const contextOf = (hook: never) =>
  batchContext(pool, userConsumer({ hooks: { created: hook, updated: hook } }));

/** One event of each of so many entities. */
async function applyOf(context: BatchContext, prefix: string): Promise<readonly TestDelivery[]> {
  const ids = Array.from({ length: CALLS }, (_, at) => `${prefix}-${String(at).padStart(3, "0")}`);
  const first = prefix.charCodeAt(0) * 1_000;
  return await run(
    context,
    ids.map((id, at) => deliver({ action: "created", id, seq: first + at, version: 1 })),
  );
}

async function run(context: BatchContext, deliveries: readonly TestDelivery[]) {
  await processBatch(context, receivedBy(context, deliveries), new Map());
  return deliveries;
}

const notes = async () =>
  (await pool.query<{ what: string }>("SELECT what FROM calls ORDER BY place")).rows.map(({ what }) => what);
const note = ({ tx, event }: Call) => tx.query("INSERT INTO calls (what) VALUES ($1)", [event.user_id]);
const amount = async () => (await pool.query("SELECT amount FROM balance")).rows[0].amount;

it("pipelines hooks of different entities, whose statements keep their order and their causes", async () => {
  const counted = hooked(({ tx, event }) =>
    tx.query(
      "INSERT INTO calls (what) SELECT $1 || CASE WHEN mesh.cause() ->> 'Mesh-Causation-Id' = $2 THEN '' ELSE ' has another cause' END",
      [event.user_id, event.metadata.event_id],
    ),
  );
  await applyOf(counted.context, "a");
  await applyOf(counted.context, "b");
  expect(counted.most).toBeGreaterThan(5);
  const written = await notes();
  expect(written).toEqual(written.toSorted());
  expect(written).toHaveLength(2 * CALLS);
  expect(written.filter((what) => what.length !== 5)).toEqual([]);
});

it("lets no hook begin before an earlier one of its entity has ended", async () => {
  const counted = hooked(note);
  await applyOf(counted.context, "a");
  await run(
    counted.context,
    Array.from({ length: CALLS }, (_, at) =>
      deliver({ action: "updated", id: "a-000", seq: 100_000 + at, version: 2 + at }),
    ),
  );
  const ids = ["x", "y", "x", "z", "y", "x"];
  const sent = ids.map((id, at) => {
    const version = ids.slice(0, at + 1).filter((one) => one === id).length;
    return deliver({ action: version === 1 ? "created" : "updated", id, seq: 200_000 + at, version });
  });
  await run(counted.context, sent);
  expect(sent.map((delivery) => delivery.outcome())).toEqual(ids.map(() => "ack"));
  expect(counted.overlapped).toBe(false);
  expect((await notes()).slice(2 * CALLS)).toEqual(ids);
  expect(counted.context.tally.applied).toBe(2 * CALLS + ids.length);
});

it("what hooks read and then write in JavaScript is read after the hook before has written", async () => {
  const counted = hooked(async ({ tx }) => {
    const { rows } = await tx.query<{ amount: number }>("SELECT amount FROM balance FOR UPDATE");
    await tx.query("UPDATE balance SET amount = $1", [(rows[0]?.amount ?? 0) + 1]);
  });
  await applyOf(counted.context, "a");
  await applyOf(counted.context, "b");
  expect(await amount()).toBe(2 * CALLS);
  expect(counted.most).toBeGreaterThan(1);
});

it("begins the batch again, one hook at a time, where one sends a statement more than ever before", async () => {
  let sendsMore = false;
  let calls = 0;
  const counted = hooked(async ({ tx, event }) => {
    calls += 1;
    const { rows } = await tx.query<{ amount: number }>("SELECT amount FROM balance");
    if (sendsMore) await tx.query("UPDATE balance SET amount = $1", [(rows[0]?.amount ?? 0) + 1]);
    expect(event.user_id).toBeDefined();
  });
  await applyOf(counted.context, "a");
  sendsMore = true;
  const deliveries = await applyOf(counted.context, "b");
  expect(await amount()).toBe(CALLS);
  expect(calls).toBeGreaterThan(2 * CALLS);
  expect(new Set(deliveries.map((delivery) => delivery.outcome()))).toEqual(new Set(["ack"]));
  expect((await pool.query("SELECT FROM mesh.attempt")).rowCount).toBe(0);
  expect(counted.context.tally.applied).toBe(2 * CALLS);
});

it.each([
  ["throws", ({ event }: Call) => event.user_id === "b-030" && Promise.reject(new Error("no"))],
  [
    "fails by its statement, which fails all that are sent behind it",
    ({ tx, event }: Call) =>
      tx.query("INSERT INTO ssh_keys VALUES ($1, $1)", [event.user_id.replace("b-030", "a-001")]),
  ],
  [
    "catches the error of its statement",
    ({ tx, event }: Call) =>
      tx
        .query("INSERT INTO ssh_keys VALUES ($1, $1)", [event.user_id.replace("b-030", "a-001")])
        .catch(() => undefined),
  ],
])("only the event fails whose hook %s", async (_, also) => {
  const counted = hooked(async (call) => {
    await note(call);
    await also(call);
  });
  await applyOf(counted.context, "a");
  const deliveries = await applyOf(counted.context, "b");
  expect(counted.most).toBeGreaterThan(1);
  const failed = deliveries.filter((delivery) => delivery.outcome() !== "ack");
  expect(failed.map(({ subject }) => subject)).toEqual([expect.stringContaining("b-030")]);
  expect(await notes()).toHaveLength(2 * CALLS - 1);
  const { rows } = await pool.query("SELECT attempts FROM mesh.attempt");
  expect(rows).toEqual([{ attempts: 1 }]);
});

it("gives a hook its savepoint back, however many hooks are at work", async () => {
  const counted = hooked(async ({ tx, event }) => {
    await tx.query("SAVEPOINT mine");
    try {
      await tx.query("INSERT INTO ssh_keys VALUES ($1, $1)", [event.user_id.replace("b-030", "a-001")]);
      await tx.query("RELEASE mine");
    } catch {
      await tx.query("ROLLBACK TO mine");
      await tx.query("INSERT INTO calls (what) VALUES ('instead')");
    }
  });
  await applyOf(counted.context, "a");
  await applyOf(counted.context, "b");
  expect(await notes()).toEqual(["instead"]);
  expect((await pool.query("SELECT FROM ssh_keys")).rowCount).toBe(2 * CALLS - 1);
  expect(counted.context.tally.applied).toBe(2 * CALLS);
});

it("reads a cursor, and answers a callback, as if there were no other hook", async () => {
  let other = false;
  const counted = hooked(async (call) => {
    const { tx } = call;
    if (!other) return await note(call);
    const cursor = tx.query(new Cursor<{ n: number }>("SELECT n FROM generate_series(1, 3) AS n"));
    const rows = await cursor.read(2);
    await cursor.close();
    await new Promise<void>((resolve, reject) => {
      tx.query("INSERT INTO calls (what) VALUES ($1)", [`${rows.length}`], (error) =>
        error ? reject(error) : resolve(),
      );
    });
  });
  await applyOf(counted.context, "a");
  other = true;
  const [alone] = await run(counted.context, [
    deliver({ action: "created", id: "alone", seq: 200_000, version: 1 }),
  ]);
  expect(alone?.outcome()).toBe("ack");
  expect((await notes()).slice(CALLS)).toEqual(["2"]);
});

it("calls a hook that waits for anything else one at a time", async () => {
  const counted = hooked(async (call) => {
    await note(call);
    await sleep(1);
  });
  await applyOf(counted.context, "a");
  await applyOf(counted.context, "b");
  expect(counted.most).toBe(1);
});

it("does the batch again whose connection is lost while thirty of its hooks are under way", async () => {
  let calls = 0;
  let ended = 0;
  const counted = hooked(async ({ tx, event }) => {
    calls += 1;
    // The first of the second batch holds up those behind it, until the thirtieth is called.
    const isHeldUp = calls === CALLS + 1;
    if (calls === CALLS + 30)
      ended = (
        await pool.query(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'",
        )
      ).rows.length;
    await tx.query("INSERT INTO calls (what) SELECT $1 FROM pg_sleep($2)", [
      event.user_id,
      isHeldUp ? 60 : 0,
    ]);
  });
  await applyOf(counted.context, "a");
  const deliveries = await applyOf(counted.context, "b");
  expect(ended).toBe(1);
  expect(counted.most).toBeGreaterThanOrEqual(30);
  expect(new Set(deliveries.map((delivery) => delivery.outcome()))).toEqual(new Set(["ack"]));
  const written = await notes();
  expect(new Set(written).size).toBe(2 * CALLS);
  expect(written).toHaveLength(2 * CALLS);
  expect(counted.context.tally.applied).toBe(2 * CALLS);
  expect((await pool.query("SELECT FROM mesh.attempt")).rowCount).toBe(0);
});
