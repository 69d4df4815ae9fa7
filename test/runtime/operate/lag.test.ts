import { afterEach, beforeEach, expect, test } from "vitest";
import type { Broker } from "../../../runtime/broker/broker.js";
import type { RunningConsumer } from "../../../runtime/consumer/consumer.js";
import type { ConsumerDefinition } from "../../../runtime/definition/consumer-definition.js";
import { readLagSeconds } from "../../../runtime/operate/lag.js";
import { streamPlan } from "../../support/broker-plans.js";
import { openRig, type Rig } from "../../support/consumer-rig.js";
import { eventDefinition } from "../../support/event-definition.js";
import { waitFor } from "../../support/servers.js";

/*
 * Lag is the age of the oldest event of a subscription that is not applied. `mesh status` reads it from the stream, `/metrics` and
 * `/readyz` from what each replica was given: the highest of theirs is the same.
 */

let rig: Rig;
let operator: Broker;
let blocked: Promise<void> | undefined;
let failing: ReadonlySet<string>;
beforeEach(async () => {
  rig = await openRig();
  operator = await rig.connect();
  blocked = undefined;
  failing = new Set();
});
afterEach(() => rig.close());

const DURABLE = "lag_user";

function definition(): ConsumerDefinition {
  return {
    durable: DURABLE,
    stream: streamPlan({ name: rig.stream, subjects: [`${rig.stream}.user.*.*`] }),
    filter: `${rig.stream}.user.*.seen`,
    entity: "auth.user",
    delivery: { attempts: 50, backoffSeconds: [0.3], batch: 5, maxAckPending: 20 },
    events: [
      {
        event: eventDefinition({ name: "UserSeen", action: "seen" }),
        async handler({ event }: { readonly event: { readonly metadata: { readonly entity_id: string } } }) {
          await blocked;
          if (failing.has(event.metadata.entity_id)) throw new Error("not yet");
        },
      },
    ] as ConsumerDefinition["events"],
  };
}

async function asStatus(): Promise<number> {
  const state = await operator.consumerState(rig.stream, DURABLE);
  if (state === undefined) throw new Error("there is no durable");
  return (await readLagSeconds(operator, { stream: rig.stream, filter: definition().filter }, state)) ?? 0;
}

function asReplicas(replicas: readonly RunningConsumer[]): number {
  return Math.max(...replicas.map((one) => one.stats().lagSeconds ?? 0));
}

/** Both, in seconds, once the oldest event is so old. */
async function bothPast(replicas: readonly RunningConsumer[], seconds: number) {
  await waitFor(async () => (await asStatus()) > seconds, { what: `a lag of ${seconds} s` });
  await waitFor(async () => Math.abs((await asStatus()) - asReplicas(replicas)) < 0.5, {
    what: "status and the replicas to say the same lag",
  });
}

const say = (id: string) => rig.say({ id, action: "seen", version: 1 });

test("status and /metrics say the same lag: idle, blocked by a failing hook, and in a backlog over two replicas", async () => {
  const replicas = [await rig.start(definition()), await rig.start(definition())];
  await waitFor(() => replicas.every((one) => one.stats().connected), { what: "two replicas" });
  await say("first");
  await waitFor(() => rig.settled(DURABLE));
  // What the subscription does not hear is no lag.
  await rig.say({ id: "first", action: "other", version: 2 });
  await waitFor(async () => asReplicas(replicas) === 0);
  expect([await asStatus(), asReplicas(replicas)]).toEqual([0, 0]);

  failing = new Set(["bad"]);
  await say("bad");
  for (let at = 0; at < 20; at += 1) await say(`good${at}`);
  await waitFor(() => replicas.some((one) => one.stats().attemptsWaiting === 1), { what: "the retry" });
  await bothPast(replicas, 2);
  failing = new Set();
  await waitFor(() => rig.settled(DURABLE));

  let release = () => {};
  blocked = new Promise((resolve) => {
    release = resolve;
  });
  // More than both replicas may hold: the rest waits in the stream.
  for (let at = 0; at < 60; at += 1) await say(`late${at}`);
  await bothPast(replicas, 2);
  release();
  await waitFor(() => rig.settled(DURABLE));
  await waitFor(async () => asReplicas(replicas) === 0);
  expect([await asStatus(), asReplicas(replicas)]).toEqual([0, 0]);
});

test("while no replica runs, status alone knows the lag, and a replica that comes back says the same", async () => {
  const first = await rig.start(definition());
  await say("heard");
  await waitFor(() => rig.settled(DURABLE));
  await first.stop();
  await say("unheard");
  await waitFor(async () => (await asStatus()) > 1);
  expect(first.stats()).toMatchObject({ connected: false, lagSeconds: undefined });
  failing = new Set(["unheard"]);
  const second = await rig.start(definition());
  await waitFor(() => second.stats().attemptsWaiting === 1, { what: "the event at the new replica" });
  await bothPast([second], 2);
});
