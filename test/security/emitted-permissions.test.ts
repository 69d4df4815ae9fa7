import { AckPolicy, connect, DeliverPolicy, type NatsConnection } from "nats";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readMesh } from "../support/compile.js";
import { startNats, type TestNats } from "../support/servers.js";

/*
 * nats.conf and plan.json of the reference mesh on a real server: it takes both as they are, each service
 * can do its work with its own user, and none can do another's.
 */

const USERS = ["auth", "compute", "gateway", "sfs", "mesh_operator"];
const env = Object.fromEntries(
  USERS.map((user) => [`${user.toUpperCase()}_NATS_PASSWORD`, `"secret of ${user}"`]),
);

let server: TestNats;
const clients: NatsConnection[] = [];

async function connectAs(user: string): Promise<NatsConnection> {
  const client = await connect({
    servers: server.url,
    user,
    pass: `secret of ${user}`,
    inboxPrefix: `_INBOX_${user}`,
  });
  clients.push(client);
  return client;
}

/** The server's error for a subject that the user may not use. */
async function refusal(client: NatsConnection, act: () => void): Promise<string | undefined> {
  const statuses = client.status()[Symbol.asyncIterator]();
  const next = statuses.next();
  act();
  await client.flush();
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, 300, undefined));
  const status = await Promise.race([next, late]);
  await statuses.return?.();
  return status === undefined ? undefined : String(status.value?.permissionContext?.subject);
}

beforeAll(async () => {
  server = await startNats({
    configuration: readMesh("generated/nats.conf"),
    env: { ...process.env, ...env },
  });
  const operator = await connectAs("mesh_operator");
  const manager = await operator.jetstreamManager();
  const plan = JSON.parse(readMesh("generated/plan.json"));
  for (const { config } of plan.streams) await manager.streams.add(config);
  for (const { stream, config } of plan.consumers) await manager.consumers.add(stream, config);
});

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()));
  await server?.remove();
});

test("the plan makes streams and durables as it says", async () => {
  const manager = await (await connectAs("mesh_operator")).jetstreamManager();
  const { config: stream } = await manager.streams.info("AUTH");
  expect(stream).toMatchObject({
    subjects: ["auth.user.*.*"],
    max_age: 7 * 86_400e9,
    max_msgs: 1_000_000,
    max_bytes: 2 ** 30,
    duplicate_window: 120e9,
  });
  const { config: durable } = await manager.consumers.info("AUTH", "sfs_auth_user");
  expect(durable).toMatchObject({
    filter_subject: "auth.user.*.*",
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: 30e9,
  });
});

test("an event goes from its publisher to its subscriber, and is acked", async () => {
  const auth = await connectAs("auth");
  const sfs = await connectAs("sfs");
  await auth.jetstream({ timeout: 5_000 }).publish("auth.user.u1.created", "{}");

  const manager = await sfs.jetstreamManager({ checkAPI: false });
  expect((await manager.streams.info("AUTH")).state.messages).toBe(1);
  const consumer = await sfs.jetstream().consumers.get("AUTH", "sfs_auth_user");
  const message = await consumer.next({ expires: 5_000 });
  expect(message?.subject).toBe("auth.user.u1.created");
  expect(await message?.ackAck()).toBe(true);
  const { num_pending, num_ack_pending } = await manager.consumers.info("AUTH", "sfs_auth_user");
  expect([num_pending, num_ack_pending]).toEqual([0, 0]);
});

test("a publisher reads back the newest message of its own stream", async () => {
  const manager = await (await connectAs("auth")).jetstreamManager({ checkAPI: false });
  const { subject } = await manager.streams.getMessage("AUTH", { last_by_subj: "auth.user.u1.*" });
  expect(subject).toBe("auth.user.u1.created");
});

describe("a service may not publish", () => {
  test.each([
    ["sfs", "auth.user.u1.deleted"],
    ["auth", "auth.user.u1.promoted"],
    ["auth", "auth.session.s1.created"],
    ["auth", "sfs.file.f1.deleted"],
    ["sfs", "$JS.API.CONSUMER.MSG.NEXT.AUTH.compute_auth_user"],
    ["sfs", "$JS.API.CONSUMER.DELETE.AUTH.sfs_auth_user"],
    ["sfs", "$JS.API.STREAM.MSG.GET.AUTH"],
    ["auth", "$JS.API.STREAM.DELETE.AUTH"],
    ["auth", "$JS.API.STREAM.PURGE.AUTH"],
    ["sfs", "$JS.ACK.AUTH.compute_auth_user.1.1.1.1.1"],
  ])("%s: %s", async (user, subject) => {
    const client = await connectAs(user);
    expect(await refusal(client, () => client.publish(subject, "{}"))).toBe(subject);
  });
});

describe("a service may not listen to", () => {
  test.each([
    ["sfs", "auth.user.*.*"],
    ["sfs", "_INBOX_compute.>"],
    ["sfs", "_INBOX.>"],
    ["auth", ">"],
    ["gateway", "$JS.EVENT.ADVISORY.>"],
  ])("%s: %s", async (user, subject) => {
    const client = await connectAs(user);
    expect(await refusal(client, () => void client.subscribe(subject, { callback: () => {} }))).toBe(subject);
  });
});
