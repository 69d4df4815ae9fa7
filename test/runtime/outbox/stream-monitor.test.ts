import { connect, type NatsConnection } from "nats";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Broker } from "../../../runtime/broker/broker.js";
import { connectJetStream } from "../../../runtime/broker/jetstream.js";
import { startStreamMonitor } from "../../../runtime/outbox/stream-monitor.js";
import { streamPlan } from "../../support/broker-plans.js";
import { recordingLogger } from "../../support/loggers.js";
import { startNats, type TestNats, waitFor } from "../../support/servers.js";

const PERMISSIONS = `
accounts {
  MESH {
    jetstream: enabled
    users: [
      { user: "all", password: "p" }
      { user: "auth", password: "p", permissions: {
          publish: { allow: ["watched.>", "$JS.API.STREAM.INFO.WATCHED"] }, subscribe: { allow: ["_INBOX_auth.>"] } } }
    ]
  }
}`;

const plan = streamPlan({ name: "WATCHED", subjects: ["watched.*.*.*"] });

let nats: TestNats;
let operator: NatsConnection;
const brokers: Broker[] = [];
beforeAll(async () => {
  nats = await startNats({ configuration: PERMISSIONS });
  operator = await connect({ servers: nats.url, user: "all", pass: "p" });
});
afterAll(async () => {
  await Promise.all(brokers.map((broker) => broker.close()));
  await operator?.close();
  await nats?.remove();
});

async function watchAs(user: string) {
  const logger = recordingLogger();
  const { lines } = logger;
  const broker = await connectJetStream({ url: nats.url, name: "auth", user, password: "p", logger });
  brokers.push(broker);
  await waitFor(() => broker.connected());
  const watch = startStreamMonitor({ broker, stream: plan, logger, pollMs: 50 });
  const alarms = () => lines.filter(({ message }) => message.includes("vanished")).map(({ level }) => level);
  const told = (message: string) => lines.some((line) => line.message === message);
  return { watch, alarms, told };
}

test("a stream that vanished is reported once, and created again where the service may", async () => {
  const manager = await operator.jetstreamManager();
  await manager.streams.add({ name: plan.name, subjects: [...plan.subjects] });
  const { watch, alarms, told } = await watchAs("all");
  await new Promise((seen) => setTimeout(seen, 200));
  expect(alarms()).toEqual([]);
  await manager.streams.delete(plan.name);
  await waitFor(() => told("the stream was made anew"));
  expect((await manager.streams.info(plan.name)).config.subjects).toEqual(plan.subjects);
  expect(alarms()).toEqual(["error"]);
  expect(watch.missing()).toBeUndefined();
  watch.stop();
});

test("where it may not, the stream stays reported missing until somebody has created it", async () => {
  const manager = await operator.jetstreamManager();
  const { watch, alarms, told } = await watchAs("auth");
  await new Promise((seen) => setTimeout(seen, 200));
  await manager.streams.delete(plan.name);
  await waitFor(() => watch.missing() === "WATCHED");
  await new Promise((looks) => setTimeout(looks, 200));
  expect(alarms()).toEqual(["error"]);
  await manager.streams.add({ name: plan.name, subjects: [...plan.subjects] });
  await waitFor(() => watch.missing() === undefined);
  expect(told("the stream was made anew")).toBe(true);
  watch.stop();
});

test("a stream that was never seen is not reported missing: we may not be allowed to ask", async () => {
  const manager = await operator.jetstreamManager();
  await manager.streams.delete(plan.name);
  const { watch, alarms } = await watchAs("auth");
  await new Promise((looks) => setTimeout(looks, 200));
  expect([alarms(), watch.missing()]).toEqual([[], undefined]);
  watch.stop();
});
