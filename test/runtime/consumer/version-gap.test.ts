import type pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openRig, type Rig } from "../../support/consumer-rig.js";
import { waitFor } from "../../support/servers.js";
import { type DefinitionChoices, type UserHooks, userConsumer } from "../../support/user-consumer.js";

describe("events out of order between replicas: an event after a version gap", () => {
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

  it("waits for what is in flight to another replica, so that each hook runs exactly once", async () => {
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

  it("waits for the redelivery of what was in flight to a replica that died", async () => {
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

  it("waits without versions, too, where an entity is not known whose creation is in flight", async () => {
    const first = await replica({ ackWaitSeconds: 2 });
    await waitFor(() => first.stats().connected);
    await first.stop();
    await rig.say({ id: "a", action: "created" });
    const dead = await rig.nats.jetstream().consumers.get(rig.stream, durable);
    expect(await dead.next({ expires: 2_000 })).not.toBeNull();
    await replica({ ackWaitSeconds: 2 });
    await rig.say({ id: "a", action: "updated", payload: { username: "later" } });
    await rig.say({ id: "b", action: "created" });
    await waitFor(() => rig.settled(durable), { what: "every event" });
    expect(await calls()).toEqual([{ what: "created b" }, { what: "created a" }, { what: "updated a" }]);
    const { rows } = await rig.pool.query("SELECT username FROM user_cache WHERE user_id = 'a'");
    expect(rows).toEqual([{ username: "later" }]);
    expect((await rig.pool.query("SELECT FROM mesh.attempt")).rowCount).toBe(0);
  });

  it("waits without versions, too, where an entity lives whose deletion is in flight", async () => {
    const first = await replica({ ackWaitSeconds: 2 });
    await waitFor(() => first.stats().connected);
    await rig.say({ id: "a", action: "created" });
    await waitFor(() => rig.settled(durable), { what: "the creation" });
    await first.stop();
    await rig.pool.query("INSERT INTO ssh_keys VALUES ('k', 'a')");
    await rig.say({ id: "a", action: "deleted" });
    const dead = await rig.nats.jetstream().consumers.get(rig.stream, durable);
    expect(await dead.next({ expires: 2_000 })).not.toBeNull();
    await replica({ ackWaitSeconds: 2 });
    await rig.say({ id: "a", action: "created" });
    await rig.say({ id: "a", action: "updated", payload: { username: "later" } });
    await waitFor(() => rig.settled(durable), { what: "every event" });
    expect((await rig.pool.query("SELECT FROM ssh_keys")).rowCount).toBe(0);
    const { rows } = await rig.pool.query("SELECT username FROM user_cache WHERE user_id = 'a'");
    expect(rows).toEqual([{ username: "later" }]);
    expect(await calls()).toEqual([{ what: "created a" }, { what: "created a" }, { what: "updated a" }]);
  });

  it("is applied at once where nothing is in flight that it could wait for: evicted history", async () => {
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
    // A wait would take 35 s.
    expect(Date.now() - started).toBeLessThan(20_000);
    expect((await calls()).length).toBe(count);
  });
});
