import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { applyAtOnce, prepareBatch } from "../../../runtime/consumer/batch.js";
import { batchContext, receivedBy } from "../../support/batch-context.js";
import { openRig, type Rig } from "../../support/consumer-rig.js";
import { waitFor } from "../../support/servers.js";
import { deliver, type Sent, userConsumer } from "../../support/user-consumer.js";

let rig: Rig;

beforeEach(async () => {
  rig = await openRig();
});
afterEach(async () => {
  await rig.close();
});

describe("a batch that is one statement", () => {
  const durable = "compute_auth_user";
  const created: readonly Sent[] = [
    { action: "created", id: "a", seq: 1, version: 1 },
    { action: "created", id: "b", seq: 2, version: 1 },
  ];

  beforeEach(async () => {
    await rig.pool.query("INSERT INTO mesh.subscription (durable, stream) VALUES ($1, $2)", [
      durable,
      rig.stream,
    ]);
  });

  async function apply(sent: readonly Sent[], { offset = 0, deferred = [] as readonly string[] } = {}) {
    const context = {
      ...batchContext(rig.pool, userConsumer()),
      deferredUntil: new Map(deferred.map((id) => [id, Date.now() + 60_000])),
    };
    const deliveries = sent.map(deliver);
    const received = receivedBy(context, deliveries);
    const prepared = prepareBatch(context, offset, received);
    if (prepared === undefined) throw new Error("the batch is not one statement");
    const { outcome, settle } = await applyAtOnce(context, received, prepared);
    const before = deliveries.map((delivery) => delivery.outcome());
    settle();
    const { rows } = await rig.pool.query("SELECT user_id FROM user_cache ORDER BY user_id");
    return { outcome, before, acks: deliveries.map((delivery) => delivery.outcome()), users: rows.length };
  }

  it("is applied, and acked when it is settled", async () => {
    expect(await apply(created)).toEqual({
      outcome: "applied",
      before: [undefined, undefined],
      acks: ["ack", "ack"],
      users: 2,
    });
  });

  it("writes and settles nothing while an event of the durable is a pending retry", async () => {
    await rig.pool.query(
      `INSERT INTO mesh.attempt (stream, stream_seq, durable, entity, entity_id, attempts)
VALUES ($1, 1, $2, 'auth.user', 'a', 1)`,
      [rig.stream, durable],
    );
    const nothing = { outcome: "not-quiet", acks: [undefined, undefined], users: 0 };
    expect(await apply(created)).toMatchObject(nothing);
    expect(await apply(created.map((sent) => ({ ...sent, action: "updated" })))).toMatchObject(nothing);
  });

  it("writes and settles nothing once another replica has begun an epoch", async () => {
    await rig.pool.query("UPDATE mesh.subscription SET seq_offset = 1000 WHERE durable = $1", [durable]);
    expect(await apply(created)).toMatchObject({
      outcome: "not-quiet",
      acks: [undefined, undefined],
      users: 0,
    });
    expect(await apply(created, { offset: 1000 })).toMatchObject({ outcome: "applied", users: 2 });
  });

  it("is not tried while an event that this process deferred waits, or where one was delivered suspiciously often", async () => {
    const nothing = { outcome: "not-tried", acks: [undefined, undefined], users: 0 };
    expect(await apply(created, { deferred: ["x"] })).toMatchObject(nothing);
    expect(await apply(created.map((sent) => ({ ...sent, deliveries: 3 })))).toMatchObject(nothing);
  });

  it("settles nothing where an event is stale", async () => {
    expect(await apply(created.slice(0, 1))).toMatchObject({ outcome: "applied" });
    expect(await apply(created)).toMatchObject({ outcome: "left-some-out", acks: [undefined, undefined] });
  });
});

it("messages that come while a batch is applied are one batch together", async () => {
  const batches: number[] = [];
  const { sync: _, ...definition } = userConsumer({ stream: rig.stream });
  const consumer = await rig.start(definition, { onBatch: () => batches.push(consumer.stats().applied) });
  await waitFor(() => consumer.stats().connected, { what: "the durable" });
  const holder = await rig.pool.connect();
  await holder.query("BEGIN; LOCK TABLE user_cache");
  for (const id of ["a", "b", "c", "d"]) {
    await rig.say({ id, action: "created", version: 1 });
    await waitFor(() => consumer.stats().lagSeconds !== 0, { what: "a message in hand" });
    await new Promise((wake) => setTimeout(wake, 50));
  }
  await holder.query("COMMIT");
  holder.release();
  await waitFor(() => consumer.stats().applied === 4, { what: "all events" });
  expect(batches).toEqual([1, 4]);
});
