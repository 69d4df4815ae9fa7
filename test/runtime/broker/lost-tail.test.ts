import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "nats";
import { afterEach, describe, expect, it } from "vitest";
import { startNats } from "../../../generator/dev/servers/nats-server.js";
import { connectJetStream } from "../../../runtime/broker/jetstream.js";
import { bytes, durablePlan, streamPlan, subjectIn, take } from "../../support/broker-plans.js";
import { recordingLogger } from "../../support/loggers.js";
import { waitFor } from "../../support/servers.js";

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

/** A user `reader` may do what the generated configuration allows a service, `admin` everything. */
const users = (stream: string) => `accounts { MESH { jetstream: enabled, users: [
  { user: admin, password: admin }
  { user: reader, password: secret, permissions {
      publish: ["$JS.API.STREAM.INFO.${stream}", "$JS.API.CONSUMER.INFO.${stream}.reader",
                "$JS.API.CONSUMER.MSG.NEXT.${stream}.reader", "$JS.ACK.${stream}.reader.>"]
      subscribe: ["_INBOX_reader.>"] } }
] } }`;

/** A broker that has forgotten the last three of four messages, and not that its durable delivered them. */
async function forgetTail() {
  const stream = streamPlan();
  const plan = durablePlan(stream);
  const folder = await mkdtemp(join(tmpdir(), "mesh-tail-"));
  const nats = await startNats({ folder, configuration: users(stream.name) });
  endings.push(async () => {
    await nats.stop();
    await rm(folder, { recursive: true });
  });
  const open = async (user: string, password: string) => {
    const broker = await connectJetStream({
      url: nats.url,
      name: user,
      logger: recordingLogger(),
      user,
      password,
    });
    endings.push(() => broker.close());
    await waitFor(() => broker.connected());
    return broker;
  };
  const admin = await open("admin", "admin");
  const publish = async (id: string) =>
    await admin.publish({ subject: subjectIn(stream, id), id, body: bytes("{}") });
  await admin.ensureStream(stream);
  await admin.ensureConsumer(plan);
  const settle = async (...ids: readonly string[]) => {
    for (const id of ids) await publish(id);
    const subscription = await admin.consume(plan, 10);
    for (const message of await take(subscription, ids.length)) message.ack();
    await subscription.stop();
    await waitFor(async () => (await admin.consumerState(stream.name, "reader"))?.ackPending === 0);
  };
  await settle("a");
  const messages = join(folder, "jetstream", "MESH", "streams", stream.name, "msgs");
  await nats.stop();
  await cp(messages, join(folder, "kept"), { recursive: true });
  await nats.restart();
  await waitFor(() => admin.streamState(stream.name));
  await settle("b", "c", "d");
  await new Promise((wake) => setTimeout(wake, 500));
  await nats.kill();
  await rm(messages, { recursive: true });
  await cp(join(folder, "kept"), messages, { recursive: true });
  await nats.restart();
  await waitFor(async () => (await admin.streamState(stream.name))?.lastSeq === 1);
  return { url: nats.url, stream, plan, admin, publish, open };
}

describe("a durable of a stream that lost its tail", () => {
  it("delivers what is stored in its place", async () => {
    const { admin, plan, publish } = await forgetTail();
    await publish("e");
    await admin.ensureConsumer(plan);
    expect((await admin.consumerState(plan.stream, "reader"))?.ackFloor).toBeLessThan(2);
    const subscription = await admin.consume(plan, 10);
    endings.push(() => subscription.stop());
    // Recreated, it starts with the messages that it had delivered before.
    const subjects = new Set<string>();
    await waitFor(async () => {
      for (const { subject } of await subscription.next(10, 200)) subjects.add(subject);
      return [...subjects].some((subject) => subject.endsWith(".e.created"));
    });
  });

  it("is said to need a provisioner where the broker does not put it back and the user may not", async () => {
    const { url, admin, plan, open } = await forgetTail();
    const client = await connect({ servers: url, user: "admin", pass: "admin" });
    endings.push(() => client.close());
    const manager = await client.jetstreamManager();
    const { delivered } = await manager.consumers.info(plan.stream, "reader");
    const reader = await open("reader", "secret");
    const refused = reader.ensureConsumer(plan).then(
      () => "",
      ({ message }: Error) => message,
    );
    // From 2.14 on the broker has put it back itself.
    expect(await refused).toMatch(delivered.stream_seq > 1 ? /stands at 4 .* ends at 1.* provisioner/ : /^$/);
    await admin.ensureConsumer(plan);
    expect(await reader.ensureConsumer(plan)).toMatchObject({ created: false });
  });
});
