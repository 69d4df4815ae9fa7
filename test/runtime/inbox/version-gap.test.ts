import type pg from "pg";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Incoming } from "../../../runtime/inbox/parse.js";
import { createPredecessors, type OnLoan } from "../../../runtime/inbox/version-gap.js";
import { openRig, type Rig } from "../../support/consumer-rig.js";
import { waitFor } from "../../support/servers.js";
import { type DefinitionChoices, type UserHooks, userConsumer } from "../../support/user-consumer.js";

describe("an event that leaves a gap", () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await openRig();
  });
  afterEach(() => rig.close());

  /** Notes each call, in the event's transaction; `created` takes its time, so that another replica may overtake it. */
  const noting: UserHooks = {
    created: async ({ tx, event }) => {
      await tx.query("SELECT pg_sleep(random() * 0.02)");
      await note(tx, `created ${event.user_id}`);
    },
    updated: async ({ tx, event }) => note(tx, `updated ${event.user_id}`),
  };
  const note = async (tx: Pick<pg.Pool, "query">, what: string) => {
    await tx.query("INSERT INTO calls (what) VALUES ($1)", [what]);
  };
  const calls = async () => (await rig.pool.query("SELECT what FROM calls ORDER BY place")).rows;
  const replica = (choices: DefinitionChoices = {}) =>
    rig.start(userConsumer({ stream: rig.stream, hooks: noting, ...choices }));
  const durable = "compute_auth_user";

  it("waits for what another replica has in hand, so that each hook runs, once", async () => {
    const replicas = [await replica({ batch: 10 }), await replica({ batch: 10 })];
    await waitFor(() => replicas.every((one) => one.stats().connected));
    const count = 300;
    for (let at = 0; at < count; at += 1) {
      const id = `u${at}`;
      void rig.say({ id, action: "created", version: 1 });
      await rig.say({ id, action: "updated", version: 2, payload: { username: `later-${id}` } });
    }
    await waitFor(() => rig.settled(durable), { timeoutMs: 30_000, what: "every event" });
    const { rows } = await rig.pool.query(
      `SELECT count(*)::int AS calls, count(DISTINCT what)::int AS distinct,
       (SELECT count(*)::int FROM user_cache WHERE username LIKE 'later-%') AS renamed FROM calls`,
    );
    expect(rows).toEqual([{ calls: 2 * count, distinct: 2 * count, renamed: count }]);
    expect(replicas.every((one) => one.stats().applied > 0)).toBe(true);
    expect((await rig.pool.query("SELECT FROM mesh.attempt")).rowCount).toBe(0);
    expect(replicas.map((one) => one.stats().deadLetters)).toEqual([0, 0]);
  });

  it("waits for what a replica held that died, and is delivered again after its ack wait", async () => {
    const first = await replica({ ackWaitSeconds: 2 });
    await waitFor(() => first.stats().connected);
    await first.stop();
    await rig.say({ id: "a", action: "created", version: 1 });
    const dead = await rig.nats.jetstream().consumers.get(rig.stream, durable);
    expect(await dead.next({ expires: 2_000 })).not.toBeNull();
    await replica({ ackWaitSeconds: 2 });
    await rig.say({ id: "a", action: "updated", version: 2 });
    await rig.say({ id: "b", action: "created", version: 1 });
    await waitFor(() => rig.settled(durable), { what: "every event" });
    expect(await calls()).toEqual([{ what: "created b" }, { what: "created a" }, { what: "updated a" }]);
    expect((await rig.pool.query("SELECT FROM mesh.attempt")).rowCount).toBe(0);
  });

  it("goes on at once where nothing is out that it could wait for: a history that was evicted", async () => {
    const first = await replica();
    await waitFor(() => first.stats().connected);
    await first.stop();
    const count = 3_000;
    const says = Array.from({ length: count }, (_, at) =>
      rig.say({ id: `u${at}`, action: "updated", version: 7 }),
    );
    await Promise.all(says);
    const started = Date.now();
    await replica();
    await waitFor(() => rig.settled(durable), { what: "the backlog" });
    expect(Date.now() - started).toBeLessThan(5_000);
    expect((await calls()).length).toBe(count);
  });
});

describe("the wait for a predecessor", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const event = (seq: number, id = `entity of ${seq}`, version = 7) =>
    ({ seq, id, version, subject: `auth.user.${id}.updated` }) as Incoming;
  type Out = Omit<OnLoan, "next"> & Partial<OnLoan>;
  const waitingOn = (out: Out) =>
    createPredecessors({ onLoan: async () => ({ next: new Map(), ...out }), ackWaitSeconds: 30 });

  it("ends a little after the ack wait, and is short from then on, until one was not in vain", async () => {
    const predecessors = waitingOn({ floor: 0, elsewhere: true });
    const isWaiting = async (seq: number) => (await predecessors.waits([event(seq)])).has(seq);
    expect(await isWaiting(5)).toBe(true);
    vi.advanceTimersByTime(34_000);
    expect(await isWaiting(5)).toBe(true);
    vi.advanceTimersByTime(1_000);
    expect(await isWaiting(5)).toBe(false);
    expect(await isWaiting(6)).toBe(true);
    vi.advanceTimersByTime(1_000);
    expect(await isWaiting(6)).toBe(false);
    expect(await isWaiting(7)).toBe(true);
    predecessors.applied([event(7)]);
    expect(await isWaiting(8)).toBe(true);
    vi.advanceTimersByTime(34_000);
    expect(await isWaiting(8)).toBe(true);
  });

  it("is never of the lowest message that is out, and counts what it put off", async () => {
    const predecessors = waitingOn({ floor: 9, elsewhere: true });
    const delays = await predecessors.waits([event(10), event(11)]);
    expect([...delays]).toEqual([[11, 100]]);
    expect((await predecessors.waits([event(11)])).get(11)).toBe(150);
    expect([predecessors.timesPutOff(10), predecessors.timesPutOff(11)]).toEqual([0, 2]);
  });

  it("goes on while an earlier event of the entity is put off here, and therefore held", async () => {
    const onLoan = { floor: 0, elsewhere: true };
    const predecessors = waitingOn(onLoan);
    await predecessors.waits([event(5, "a", 12)]);
    onLoan.elsewhere = false;
    const follower = event(6, "a", 13);
    expect((await predecessors.waits([follower, event(7, "b", 13)])).has(6)).toBe(true);
    expect((await predecessors.waits([event(7, "b", 13)])).size).toBe(0);
    // Settled by another replica.
    onLoan.floor = 5;
    expect((await predecessors.waits([follower])).size).toBe(0);
  });

  it("is short after one in vain only while the same message holds the floor down", async () => {
    const out = { floor: 0, elsewhere: true };
    const predecessors = waitingOn(out);
    await predecessors.waits([event(5)]);
    vi.advanceTimersByTime(35_000);
    expect((await predecessors.waits([event(5), event(7)])).has(5)).toBe(false);
    out.floor = 3;
    vi.advanceTimersByTime(34_000);
    expect((await predecessors.waits([event(7)])).has(7)).toBe(true);
    vi.advanceTimersByTime(1_000);
    expect((await predecessors.waits([event(7)])).has(7)).toBe(false);
  });

  it("goes on while an earlier event of the entity is held here and was delivered after it", async () => {
    const next = new Map([
      ["auth.user.a", 6],
      ["auth.user.b", 9],
    ]);
    const predecessors = waitingOn({ floor: 0, elsewhere: false, next });
    const delays = await predecessors.waits([event(7, "a"), event(8, "b"), event(5, "c")]);
    expect([...delays.keys()]).toEqual([7]);
  });

  it("is not begun where everything that is out is held here", async () => {
    expect(await waitingOn({ floor: 0, elsewhere: false }).waits([event(5)])).toEqual(new Map());
  });
});
