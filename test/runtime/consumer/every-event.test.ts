import { afterEach, beforeEach, expect, test } from "vitest";
import type { MeshEvent } from "../../../runtime/definition/event-definition.js";
import type { Handler } from "../../../runtime/definition/hook-definition.js";
import { consumersOf } from "../../../runtime/inbox/every-event.js";
import { openRig, type Rig } from "../../support/consumer-rig.js";
import { waitFor } from "../../support/servers.js";
import { userConsumer } from "../../support/user-consumer.js";

/*
 * One hook for every event that a service hears: an audit log, written in the transactions of the events.
 */

let rig: Rig;
beforeEach(async () => {
  rig = await openRig();
});
afterEach(() => rig.close());

const log: Handler<MeshEvent> = async ({ event, subject, tx }) => {
  await tx.query("INSERT INTO calls (what) VALUES ($1)", [
    `${subject.split(".").slice(1).join(".")} ${event.metadata.version}`,
  ]);
};

async function logged(): Promise<readonly string[]> {
  const { rows } = await rig.pool.query<{ what: string }>("SELECT what FROM calls ORDER BY place");
  return rows.map(({ what }) => what);
}

test("each event is logged once and in order, those that a batch would merge included; a redelivery is not", async () => {
  const [consumer] = consumersOf({ consumers: [userConsumer({ stream: rig.stream })], onEvent: log });
  if (consumer === undefined) throw new Error("there is one");
  await rig.manager.streams.add({ name: rig.stream, subjects: [`${rig.stream}.user.*.*`] });
  await rig.say({ id: "a", action: "created", version: 1 });
  await rig.say({ id: "a", action: "updated", version: 2 });
  await rig.say({ id: "a", action: "updated", version: 3 });
  await rig.say({ id: "a", action: "updated", version: 2 });
  await rig.say({ id: "a", action: "deleted", version: 4 });
  await rig.start(consumer);
  await waitFor(() => rig.settled(consumer.durable), { what: "all messages to be settled" });
  expect(await logged()).toEqual([
    "user.a.created 1",
    "user.a.updated 2",
    "user.a.updated 3",
    "user.a.deleted 4",
  ]);
});

test("where the event's own handler fails for good nothing is logged, and other entities are", async () => {
  const hooks = {
    async created({ event }: { readonly event: MeshEvent }) {
      if (event.metadata.entity_id === "bad") throw new Error("never");
    },
  };
  const definition = userConsumer({ stream: rig.stream, hooks, attempts: 2, backoffSeconds: [0.1] });
  const [consumer] = consumersOf({ consumers: [definition], onEvent: log });
  if (consumer === undefined) throw new Error("there is one");
  await rig.start(consumer);
  await rig.say({ id: "bad", action: "created", version: 1 });
  await rig.say({ id: "good", action: "created", version: 1 });
  await waitFor(() => rig.settled(consumer.durable), { what: "all messages to be settled" });
  expect(await logged()).toEqual(["user.good.created 1"]);
});
