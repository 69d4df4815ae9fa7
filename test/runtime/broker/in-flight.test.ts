import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import type { Broker, PullSubscription } from "../../../runtime/broker/broker.js";
import { connectJetStream } from "../../../runtime/broker/jetstream.js";
import { bytes, durablePlan, streamPlan, subjectIn, take } from "../../support/broker-plans.js";
import { silent } from "../../support/loggers.js";
import { waitFor } from "../../support/servers.js";

/*
 * Whether an earlier message is outstanding at another replica follows from two counts: JetStream's of the durable, and the
 * subscription's own. Both are held together here, also with subjects that the filter leaves out.
 */

let broker: Broker;
let subscriptions: PullSubscription[];
const stream = streamPlan();
const plan = durablePlan(stream);

beforeEach(async () => {
  broker = await connectJetStream({ url: inject("nats"), name: "in-flight", logger: silent });
  subscriptions = [];
  await broker.ensureStream(stream);
  await broker.ensureConsumer(plan);
});
afterEach(async () => {
  for (const subscription of subscriptions) await subscription.stop();
  await broker.close();
});

async function consume(prefetch: number): Promise<PullSubscription> {
  const subscription = await broker.consume(plan, prefetch);
  subscriptions.push(subscription);
  return subscription;
}

const state = async () => await broker.consumerState(stream.name, plan.durable);
const elsewhere = async (subscription: PullSubscription) =>
  ((await state())?.ackPending ?? 0) - (subscription.outstanding?.() ?? 0);

describe("messages in flight", () => {
  it("are counted by durable and subscription alike; the ack floor stays below the lowest that is not settled", async () => {
    let published = 0;
    const publish = async (id: string, entity = "user") => {
      published += 1;
      const subject = subjectIn(stream, id).replace(".user.", `.${entity}.`);
      await broker.publish({ subject, id: `${stream.name}${published}`, body: bytes("{}") });
    };
    // Sequences 1, 4 and 5 pass the filter.
    for (const [id, entity] of [["a"], ["x", "other"], ["y", "other"], ["b"], ["c"], ["z", "other"]] as const)
      await publish(id, entity);
    const one = await consume(10);
    const [a, b, c] = await take(one, 3);
    expect([a?.seq, b?.seq, c?.seq]).toEqual([1, 4, 5]);
    expect(await state()).toMatchObject({ ackPending: 3, ackFloor: 0 });
    expect(await elsewhere(one)).toBe(0);
    b?.ack();
    await waitFor(async () => (await state())?.ackPending === 2);
    expect(await state()).toMatchObject({ ackFloor: 0 });
    // A nak stays counted until somebody else has it.
    c?.nak(60_000);
    await waitFor(async () => (await elsewhere(one)) === 0);
    expect(await state()).toMatchObject({ ackPending: 2 });
    a?.ack();
    // Up to the lowest that is out: the hole between 1 and 4 is not skipped before 4 is.
    await waitFor(async () => ((await state())?.ackFloor ?? 0) >= 1);
    expect(await state()).toMatchObject({ ackPending: 1, ackFloor: 4 });
    expect(await elsewhere(one)).toBe(0);
  });

  it("are outstanding elsewhere when another subscription took them, or handed them back with a delay", async () => {
    const one = await consume(10);
    for (const id of ["d", "e"])
      await broker.publish({ subject: subjectIn(stream, id), id: `${stream.name}${id}`, body: bytes("{}") });
    const taken = await take(one, 2);
    const other = await consume(10);
    // These two, and the one that the test before put off.
    expect(await elsewhere(other)).toBe(3);
    expect(await elsewhere(one)).toBe(1);
    for (const message of taken) message.ack();
    await waitFor(async () => (await elsewhere(other)) === 1);
  });
});
