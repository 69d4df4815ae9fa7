import type { JsMsg } from "nats";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { RunningConsumer } from "../../../runtime/consumer/consumer.js";
import type { ConsumerDefinition } from "../../../runtime/definition/consumer-definition.js";
import { openRig, type Rig } from "../../support/consumer-rig.js";
import { waitFor } from "../../support/servers.js";
import {
  type DefinitionChoices,
  type UserEvent,
  type UserHooks,
  userConsumer,
} from "../../support/user-consumer.js";

/*
 * An id that was deleted and created again is another entity, also where a snapshot is the first to say so.
 */

let rig: Rig;
let seen: string[];
beforeEach(async () => {
  rig = await openRig();
  seen = [];
});
afterEach(() => rig.close());

const note =
  (what: string) =>
  async ({ event, origin }: { readonly event: UserEvent; readonly origin: string }) => {
    const own = Object.keys(event).filter((name) => name.startsWith("_"));
    seen.push([origin, what, event.username, ...own].join(" "));
  };
const noting = { created: note("created"), updated: note("updated"), deleted: note("deleted") };

function definition(hooks: UserHooks): ConsumerDefinition {
  return userConsumer({ stream: rig.stream, hooks, sync: true });
}

/** As the gateway's: cascades, and no copy of what they hang on. */
function withoutCache(hooks: UserHooks): ConsumerDefinition {
  const { cache, sync, ...rest } = definition(hooks);
  return { ...rest, sync: { ...sync, key: "user_id" } as Required<ConsumerDefinition>["sync"] };
}

const user = (username: string, version?: number, firstVersion?: number | null) => ({
  user_id: "a",
  username,
  ...(version === undefined ? {} : { _version: version }),
  ...(firstVersion === undefined ? {} : { _first_version: firstVersion }),
});

async function start(made: ConsumerDefinition): Promise<RunningConsumer> {
  rig.source = [];
  const consumer = await rig.start(made);
  await waitFor(() => consumer.stats().lastSnapshot !== undefined, { what: "the first snapshot" });
  // It is on record, and may not have ended: whoever asks then gets the same one.
  await consumer.resync();
  return consumer;
}

async function say(consumer: RunningConsumer, ...events: readonly (readonly [string, number, string])[]) {
  const settled = () => consumer.stats().applied + consumer.stats().stale;
  const before = settled();
  for (const [action, version, username] of events)
    await rig.say({ id: "a", action, version, payload: { username } });
  await waitFor(() => settled() === before + events.length, {
    what: `${events.length} events to be settled`,
  });
}

/** A namespace, a container and a key of the user. */
async function attach(suffix: string): Promise<void> {
  await rig.pool.query("INSERT INTO namespaces VALUES ($1, $1, 'a')", [`n-${suffix}`]);
  await rig.pool.query("INSERT INTO containers (container_id, user_id) VALUES ($1, 'a')", [`c-${suffix}`]);
  await rig.pool.query("INSERT INTO ssh_keys VALUES ($1, 'a')", [`k-${suffix}`]);
}

async function attached(): Promise<readonly string[]> {
  const { rows } = await rig.pool.query<{ id: string }>(`SELECT container_id AS id FROM containers
    UNION ALL SELECT key_id FROM ssh_keys
    UNION ALL SELECT namespace_id FROM namespaces WHERE owner_id IS NOT NULL ORDER BY 1`);
  return rows.map(({ id }) => id);
}

const names = async () =>
  (await rig.pool.query("SELECT user_id, username FROM user_cache")).rows.map((row) => row.username);

describe("a snapshot that has a later incarnation", () => {
  it("runs the cascades of the former one, each hook once, and leaves the new one to itself", async () => {
    const consumer = await start(definition(noting));
    await say(consumer, ["created", 1, "former"]);
    await attach("former");
    rig.source = [user("later", 4, 3)];
    expect(await consumer.resync()).toMatchObject({ rows: 1, written: 1, removed: 0, failed: 0 });
    expect(await attached()).toEqual([]);
    expect((await rig.pool.query("SELECT FROM namespaces")).rowCount).toBe(1);
    expect(await names()).toEqual(["later"]);
    expect(seen).toEqual(["event created former", "snapshot deleted former", "snapshot created later"]);
    await attach("later");
    await say(consumer, ["deleted", 2, "former"], ["created", 3, "between"], ["updated", 4, "later"]);
    expect(await consumer.resync()).toMatchObject({ written: 0, removed: 0 });
    expect(consumer.stats()).toMatchObject({ applied: 1, stale: 3 });
    expect(await attached()).toEqual(["c-later", "k-later", "n-later"]);
    expect(await names()).toEqual(["later"]);
    expect(seen).toHaveLength(3);
    await say(consumer, ["deleted", 5, "later"]);
    expect(await attached()).toEqual([]);
  });

  it("does so where names went from one to another at the same time", async () => {
    const consumer = await start(definition({}));
    await say(consumer, ["created", 1, "x"]);
    await attach("former");
    await rig.pool.query("INSERT INTO user_cache (user_id, username) VALUES ('b', 'y')");
    rig.source = [user("y", 3, 3), { user_id: "b", username: "x", _version: 2, _first_version: 1 }];
    expect(await consumer.resync()).toMatchObject({ failed: 0 });
    expect(await attached()).toEqual([]);
    expect((await names()).sort()).toEqual(["x", "y"]);
  });

  it("keeps all of the former one while its hook fails, and finds it again", async () => {
    let broken = true;
    const consumer = await start(
      definition({
        ...noting,
        deleted: async (context) => {
          if (broken) throw new Error("not now");
          await note("deleted")(context);
        },
      }),
    );
    await say(consumer, ["created", 1, "former"]);
    await attach("former");
    rig.source = [user("later", 3, 3), { user_id: "b", username: "b", _version: 1, _first_version: 1 }];
    expect(await consumer.resync()).toMatchObject({ failed: 1 });
    expect(await attached()).toEqual(["c-former", "k-former", "n-former"]);
    expect((await names()).sort()).toEqual(["b", "former"]);
    broken = false;
    expect(await consumer.resync()).toMatchObject({ failed: 0 });
    expect(await attached()).toEqual([]);
    expect((await names()).sort()).toEqual(["b", "later"]);
    expect(seen).toEqual([
      "event created former",
      "snapshot created b",
      "snapshot deleted former",
      "snapshot created later",
    ]);
  });

  it("writes a cascade task for each row pending deletion whose hook comes first, and wakes the worker", async () => {
    rig.source = [];
    let woken = 0;
    const consumer = await rig.start(definition({ before: async () => undefined }), {
      onTasks: () => (woken += 1),
    });
    await waitFor(() => consumer.stats().lastSnapshot !== undefined);
    await consumer.resync();
    await say(consumer, ["created", 1, "former"]);
    await attach("former");
    rig.source = [user("later", 3, 3)];
    await consumer.resync();
    expect((await rig.pool.query("SELECT row_key FROM mesh.cascade_task")).rows).toEqual([
      { row_key: "c-former" },
    ]);
    expect(woken).toBe(1);
    expect(await attached()).toEqual(["c-former"]);
  });

  it("runs the cascades of a consumer without a cache, to which events of the new incarnation are still news", async () => {
    const consumer = await start(withoutCache({ created: note("created") }));
    await say(consumer, ["created", 1, "former"]);
    await attach("former");
    rig.source = [user("later", 3, 3)];
    expect(await consumer.resync()).toMatchObject({ removed: 0, failed: 0 });
    expect(await attached()).toEqual([]);
    await attach("later");
    expect(await consumer.resync()).toMatchObject({ removed: 0, failed: 0 });
    await say(consumer, ["deleted", 2, "former"], ["created", 3, "later"]);
    expect(await consumer.resync()).toMatchObject({ removed: 0, failed: 0 });
    expect(await attached()).toEqual(["c-later", "k-later", "n-later"]);
    expect(seen).toEqual(["event created former", "event created later"]);
  });
});

describe("no deletion is made up", () => {
  interface Known {
    readonly version: number | null;
    readonly versioned?: boolean;
    readonly deleted?: boolean;
    readonly seq?: number | null;
  }
  const cases: readonly (readonly [string, Known, ReturnType<typeof user>])[] = [
    ["updates alone were missed", { version: 1 }, user("now", 9, 1)],
    ["the incarnation is the one that is known", { version: 3 }, user("now", 9, 3)],
    ["it began before what is known", { version: 5 }, user("now", 9, 3)],
    ["its beginning is not known", { version: 1 }, user("now", 9, null)],
    ["its owner sends no first versions", { version: 1 }, user("now", 9)],
    ["its owner sends no versions", { version: null, versioned: false }, user("now")],
    ["the snapshot has it without a version", { version: 1 }, user("now", undefined, 9)],
    ["its first version is above its version", { version: 1 }, user("now", 4, 9)],
    ["the last event had no version", { version: 1, versioned: false }, user("now", 9, 5)],
    ["no event had a version", { version: null, versioned: false }, user("now", 9, 5)],
    ["it was only referred to", { version: null, versioned: false, seq: null }, user("now", 9, 5)],
    ["it was only found alive", { version: 0, seq: null }, user("now", 9, 5)],
  ];

  describe.each([
    ["with a cache", definition],
    ["without one", withoutCache],
  ])("%s", (_, make) => {
    it.each(cases)(
      "where %s",
      async (_case, { version, versioned = true, deleted = false, seq = 1 }, row) => {
        const consumer = await start(make(noting));
        await rig.pool.query("INSERT INTO user_cache (user_id, username) VALUES ('a', 'then')");
        await rig.pool.query("INSERT INTO mesh.applied VALUES ('auth.user', 'a', $1, $2, $3, $4)", [
          version,
          versioned,
          deleted,
          seq,
        ]);
        await attach("then");
        rig.source = [row];
        await rig.pool.query("UPDATE mesh.subscription SET seq_offset = 10");
        await consumer.resync();
        expect(await attached()).toEqual(["c-then", "k-then", "n-then"]);
        expect(seen.filter((what) => what.includes("deleted"))).toEqual([]);
      },
    );

    it("where it is known to be deleted: it lives again, and no hook of a deletion runs twice", async () => {
      const consumer = await start(make(noting));
      await say(consumer, ["created", 1, "former"], ["deleted", 2, "former"]);
      rig.source = [user("later", 3, 3)];
      expect(await consumer.resync()).toMatchObject({ written: 1, failed: 0 });
      await attach("later");
      expect(seen.filter((what) => what.includes("deleted"))).toEqual(["event deleted former"]);
    });
  });
});

describe("out of order: an `updated` of a later incarnation that comes first", () => {
  const durable = "compute_auth_user";
  const names = async () => (await rig.pool.query("SELECT username FROM user_cache")).rows;
  const consumes = (choices: DefinitionChoices) => userConsumer({ stream: rig.stream, ...choices });
  const settled = () => waitFor(() => rig.settled(durable), { what: "every event" });

  it("waits for the redelivery of the deletion and the creation that were in flight to a replica that died", async () => {
    const first = await rig.start(consumes({ ackWaitSeconds: 2 }));
    await waitFor(() => first.stats().connected);
    await say(first, ["created", 1, "former"]);
    await attach("former");
    await first.stop();
    await rig.say({ id: "a", action: "deleted", version: 2 });
    await rig.say({ id: "a", action: "created", version: 3, payload: { username: "later" } });
    const dead = await rig.nats.jetstream().consumers.get(rig.stream, durable);
    for await (const message of await dead.fetch({ max_messages: 2, expires: 2_000 }))
      expect(message.redelivered).toBe(false);
    await rig.start(consumes({ ackWaitSeconds: 2 }));
    await rig.say({ id: "b", action: "created", version: 1 });
    await rig.say({ id: "a", action: "updated", version: 4, payload: { username: "renamed" } });
    await settled();
    expect(await attached()).toEqual([]);
    expect(await names()).toContainEqual({ username: "renamed" });
  });

  it("waits for redeliveries that come to the same process behind it", async () => {
    const first = await rig.start(consumes({}));
    await waitFor(() => first.stats().connected);
    await say(first, ["created", 1, "former"]);
    await attach("former");
    await first.stop();
    await rig.say({ id: "a", action: "deleted", version: 2 });
    await rig.say({ id: "a", action: "created", version: 3, payload: { username: "later" } });
    const former = await rig.nats.jetstream().consumers.get(rig.stream, durable);
    const held: JsMsg[] = [];
    for await (const message of await former.fetch({ max_messages: 2, expires: 2_000 })) held.push(message);
    await rig.say({ id: "a", action: "updated", version: 4, payload: { username: "renamed" } });
    // Busy with a batch, while the next one arrives in the wrong order.
    const blocker = await rig.pool.connect();
    await blocker.query("BEGIN; LOCK TABLE user_cache");
    const replica = await rig.start(consumes({ batch: 1 }));
    await waitFor(async () => (await rig.manager.consumers.info(rig.stream, durable)).num_ack_pending === 3);
    for (const message of held) message.nak();
    await waitFor(async () => (await rig.manager.consumers.info(rig.stream, durable)).num_redelivered === 2);
    await blocker.query("COMMIT");
    blocker.release();
    await settled();
    expect(replica.stats().applied).toBe(3);
    expect(await attached()).toEqual([]);
    expect(await names()).toEqual([{ username: "renamed" }]);
  });

  it("goes on where what it misses is lost", async () => {
    const first = await rig.start(consumes({}));
    await waitFor(() => first.stats().connected);
    await say(first, ["created", 1, "former"], ["updated", 4, "renamed"], ["updated", 7, "again"]);
    expect(await names()).toEqual([{ username: "again" }]);
  });
});

it.each([["three"], [2.5], [{}]])("a first version of %j is no snapshot", async (firstVersion) => {
  const consumer = await start(definition({}));
  rig.source = [{ ...user("x", 1), _first_version: firstVersion }];
  await expect(consumer.resync()).rejects.toThrow("_first_version is");
});
