import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { applyAtOnce, prepareBatch } from "../../../runtime/consumer/batch.js";
import { createVersionGapWaits } from "../../../runtime/consumer/version-gap.js";
import { createInsertThrottle } from "../../../runtime/inbox/insert-throttle.js";
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

  /** Something is in flight elsewhere all the time. */
  const noGaps = () =>
    createVersionGapWaits({
      inFlight: async () => ({ ackFloor: 0, elsewhere: true, next: new Map() }),
      ackWaitSeconds: 30,
    });

  async function apply(
    sent: readonly Sent[],
    { offset = 0, deferred = [] as readonly string[], versionGaps = noGaps() } = {},
  ) {
    const context = {
      ...batchContext(rig.pool, userConsumer()),
      insertThrottle: createInsertThrottle(),
      versionGaps,
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

  describe("of events without versions", () => {
    const eventId = "one-id";
    const before: readonly Sent[] = [
      { action: "created", id: "a", seq: 1, eventId },
      { action: "updated", id: "a", seq: 5 },
      { action: "created", id: "b", seq: 6 },
    ];
    const following: readonly Sent[] = [
      { action: "updated", id: "b", seq: 11 },
      { action: "created", id: "c", seq: 12 },
      { action: "updated", id: "c", seq: 13 },
    ];
    const written = async () => {
      const { rows } = await rig.pool.query(
        `SELECT (SELECT count(*) FROM mesh.seen)::integer AS seen, (SELECT count(*) FROM user_cache)::integer AS users,
  (SELECT json_object_agg(entity_id, stream_seq) FROM mesh.applied WHERE NOT deleted) AS seqs`,
      );
      return rows[0];
    };

    it("is applied, and its ids are noted", async () => {
      expect(await apply(before)).toMatchObject({ outcome: "applied", acks: ["ack", "ack", "ack"] });
      expect(await apply(following)).toMatchObject({ outcome: "applied" });
      expect(await written()).toEqual({ seen: 6, users: 3, seqs: { a: 5, b: 11, c: 13 } });
    });

    it.each<[string, readonly Sent[]]>([
      ["a redelivery", [{ action: "created", id: "a", seq: 20, eventId }]],
      ["an id twice", [20, 21].map((seq) => ({ action: "updated", id: "a", seq, eventId: "two" }))],
      ["an update that another overtook", [{ action: "updated", id: "a", seq: 4 }]],
      ["an update of what is not known", [{ action: "updated", id: "d", seq: 20 }]],
      ["an update of what is deleted", [{ action: "updated", id: "gone", seq: 20 }]],
      ["an update of what rows here only refer to", [{ action: "updated", id: "named", seq: 20 }]],
      ["a creation of what lives", [{ action: "created", id: "a", seq: 20 }]],
      ["a creation of what was deleted", [{ action: "created", id: "gone", seq: 20 }]],
    ])("is left to the planner as a whole where it has %s", async (_, odd) => {
      await apply(before);
      await rig.pool.query(`INSERT INTO mesh.applied (entity, entity_id, deleted, stream_seq)
VALUES ('auth.user', 'gone', true, 3), ('auth.user', 'named', false, NULL)`);
      const former = await written();
      for (const sent of [[...odd, ...following], following.concat(odd)])
        expect(await apply(sent)).toMatchObject({
          outcome: "left-some-out",
          acks: sent.map(() => undefined),
        });
      expect(await written()).toEqual(former);
    });

    it("is not tried behind an event that this process deferred, and that may be elsewhere by now", async () => {
      await apply(before);
      const versionGaps = noGaps();
      const { model } = batchContext(rig.pool, userConsumer());
      const [deferred] = receivedBy({ model } as never, [deliver({ action: "created", id: "b", seq: 7 })]);
      if (deferred?.parsed?.ok !== true) throw new Error("no event");
      await versionGaps.delays([deferred.parsed.incoming]);
      expect(await apply(following, { versionGaps })).toMatchObject({ outcome: "not-tried" });
      expect(await apply(following.slice(1), { versionGaps })).toMatchObject({ outcome: "applied" });
    });

    it("is not tried again at once where that came to nothing", async () => {
      const context = {
        ...batchContext(rig.pool, userConsumer()),
        insertThrottle: createInsertThrottle(),
      };
      const received = receivedBy(context, [deliver({ action: "updated", id: "d", seq: 20 })]);
      const prepared = prepareBatch(context, 0, received);
      if (prepared === undefined) throw new Error("the batch is not one statement");
      await applyAtOnce(context, received, prepared);
      expect(prepareBatch(context, 0, received)).toBeUndefined();
    });
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
