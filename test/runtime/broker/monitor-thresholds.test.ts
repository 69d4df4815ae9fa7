import { connect, type JetStreamManager, type NatsConnection } from "nats";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import type { Broker } from "../../../runtime/broker/broker.js";
import { connectJetStream } from "../../../runtime/broker/jetstream.js";
import { durablePlan, streamPlan } from "../../support/broker-plans.js";
import { recordingLogger } from "../../support/loggers.js";
import { waitFor } from "../../support/servers.js";

/* What `nats server check` reads, as a real server keeps it. */

let broker: Broker;
let admin: NatsConnection;
let manager: JetStreamManager;

beforeAll(async () => {
  const url = inject("nats");
  broker = await connectJetStream({ url, name: "thresholds", logger: recordingLogger() });
  admin = await connect({ servers: url });
  manager = await admin.jetstreamManager();
  await waitFor(() => broker.connected());
});
afterAll(async () => {
  await broker?.close();
  await admin?.close();
});

const ENABLED = { "io.nats.monitor.enabled": "true" };
const monitored = (metadata: Record<string, string> | undefined) =>
  Object.fromEntries(Object.entries(metadata ?? {}).filter(([key]) => key.startsWith("io.nats.monitor.")));

test("a durable has io.nats.monitor.unprocessed-critical in its metadata, follows the plan, and keeps its id and what others wrote", async () => {
  const stream = streamPlan();
  await broker.ensureStream(stream);
  const plan = durablePlan(stream, { unprocessedLimit: 500 });
  await broker.ensureConsumer(plan);
  const read = async () => (await manager.consumers.info(stream.name, plan.durable)).config.metadata ?? {};
  const made = await read();
  expect(monitored(made)).toEqual({ ...ENABLED, "io.nats.monitor.unprocessed-critical": "500" });
  const others = { ...made, "io.nats.monitor.waiting-critical": "9" };
  await manager.consumers.update(stream.name, plan.durable, { metadata: others });
  await broker.ensureConsumer({ ...plan, unprocessedLimit: 700 });
  expect(await read()).toEqual({ ...others, "io.nats.monitor.unprocessed-critical": "700" });
  await manager.streams.delete(stream.name);
});

test("a durable without a limit has no threshold; and a stream of one replica has none, which would ask for a cluster", async () => {
  const stream = streamPlan({ replicas: 1 });
  await broker.ensureStream(stream);
  const plan = durablePlan(stream);
  await broker.ensureConsumer(plan);
  const { config } = await manager.consumers.info(stream.name, plan.durable);
  expect(monitored(config.metadata)).toEqual({});
  expect(monitored((await manager.streams.info(stream.name)).config.metadata)).toEqual({});
  await manager.streams.delete(stream.name);
});
