import { afterEach, beforeEach, expect, test } from "vitest";
import { listDeadLetters } from "../../../runtime/consumer/dead-letters.js";
import type { ConsumerDefinition } from "../../../runtime/definition/consumer-definition.js";
import type { MeshEvent } from "../../../runtime/definition/event-definition.js";
import type { HandlerContext } from "../../../runtime/definition/hook-definition.js";
import { streamPlan } from "../../support/broker-plans.js";
import { openRig, type Rig } from "../../support/consumer-rig.js";
import { eventDefinition } from "../../support/event-definition.js";
import { waitFor } from "../../support/servers.js";

/*
 * A subscription to one action of an entity: the broker delivers that action alone, and the versions between its events are no reason to
 * wait, nor to take an event for stale.
 */

let rig: Rig;
let heard: string[];
beforeEach(async () => {
  rig = await openRig();
  heard = [];
});
afterEach(() => rig.close());

function paidConsumer(handler: (id: string, version: number) => void = () => undefined): ConsumerDefinition {
  return {
    durable: "shipping_user_paid",
    stream: streamPlan({ name: rig.stream, subjects: [`${rig.stream}.user.*.*`] }),
    filter: `${rig.stream}.user.*.paid`,
    entity: "auth.user",
    delivery: { backoffSeconds: [0.1] },
    events: [
      {
        event: eventDefinition({ name: "UserPaid", action: "paid" }),
        async handler({ event }: HandlerContext<MeshEvent>) {
          const { entity_id: id, version = 0 } = event.metadata;
          handler(id, version);
          heard.push(`${id} ${version}`);
        },
      },
    ] as ConsumerDefinition["events"],
  };
}

async function life(id: string): Promise<void> {
  const actions = ["created", "paid", "updated", "updated", "paid", "deleted", "created", "paid"];
  for (const [at, action] of actions.entries()) await rig.say({ id, action, version: at + 1 });
}

test("the hook hears each event of the action once and in order, whatever was between them", async () => {
  await rig.start(paidConsumer());
  const ids = Array.from({ length: 20 }, (_, at) => `u${at}`);
  await Promise.all(ids.map(life));
  await waitFor(async () => heard.length === 60, { what: "three events of each entity" });
  for (const id of ids)
    expect(heard.filter((line) => line.startsWith(`${id} `))).toEqual([`${id} 2`, `${id} 5`, `${id} 8`]);
  const { num_pending, delivered } = await rig.manager.consumers.info(rig.stream, "shipping_user_paid");
  expect([num_pending, delivered.consumer_seq]).toEqual([0, 60]);
  expect(await listDeadLetters(rig.pool, {})).toEqual([]);
});

test("a hook that fails is retried before the next event of its entity, and a redelivery changes nothing", async () => {
  let failures = 2;
  await rig.start(
    paidConsumer((id, version) => {
      if (id === "a" && version === 2 && failures > 0) {
        failures -= 1;
        throw new Error("not yet");
      }
    }),
  );
  await life("a");
  await waitFor(async () => heard.length === 3, { what: "all three events" });
  expect(heard).toEqual(["a 2", "a 5", "a 8"]);
  await rig.say({ id: "a", action: "paid", version: 5 });
  await rig.say({ id: "b", action: "paid", version: 9 });
  await waitFor(async () => heard.includes("b 9"), { what: "the event behind the duplicate" });
  expect(heard.filter((line) => line.startsWith("a"))).toHaveLength(3);
});

test("the lowest message in flight waits for nothing, though another replica has a later one in hand", async () => {
  const definition = paidConsumer();
  const consumer = await rig.start({ ...definition, delivery: { ...definition.delivery, batch: 1 } });
  await waitFor(() => consumer.stats().connected, { what: "the durable" });
  const holder = await rig.pool.connect();
  await holder.query("BEGIN; LOCK TABLE mesh.attempt");
  const ids = Array.from({ length: 12 }, (_, at) => `u${at}`);
  for (const id of ids) {
    await rig.say({ id, action: "created", version: 1 });
    await rig.say({ id, action: "paid", version: 2 });
  }
  // As another replica does, it takes what the first one has not asked for.
  const other = await rig.nats.jetstream().consumers.get(rig.stream, definition.durable);
  const taken = await waitFor(() => other.next({ expires: 1_000 }), { what: "a message of its own" });
  await holder.query("COMMIT");
  holder.release();
  await waitFor(() => heard.includes("u0 2"), { timeoutMs: 5_000, what: "the lowest" });
  taken.nak();
  await waitFor(() => heard.length === ids.length, { what: "the others" });
});

test("two replicas of it apply the events of an entity in order", async () => {
  await rig.start(paidConsumer());
  await rig.start(paidConsumer());
  const ids = Array.from({ length: 30 }, (_, at) => `u${at}`);
  await Promise.all(ids.map(life));
  await waitFor(async () => new Set(heard).size === 90, {
    what: "three events of each entity",
    timeoutMs: 50_000,
  });
  expect(heard).toHaveLength(90);
  for (const id of ids)
    expect(heard.filter((line) => line.startsWith(`${id} `))).toEqual([`${id} 2`, `${id} 5`, `${id} 8`]);
});
