import { connect } from "nats";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectJetStream } from "../../../runtime/broker/jetstream.js";
import { durablePlan, streamPlan, subjectIn, take } from "../../support/broker-plans.js";
import { recordingLogger } from "../../support/loggers.js";
import { startNats, type TestNats, waitFor } from "../../support/servers.js";
import { brokerContract } from "./contract.js";

/*
 * JetStream of another account, as the generated nats.conf has it, with the difference that this service may make its
 * streams and durables itself, under any name.
 */

const CALLS = [
  "STREAM.CREATE.*",
  "STREAM.UPDATE.*",
  "STREAM.INFO.*",
  "STREAM.MSG.GET.*",
  "STREAM.MSG.DELETE.*",
  "CONSUMER.CREATE.>",
  "CONSUMER.DURABLE.CREATE.>",
  "CONSUMER.DELETE.*.*",
  "CONSUMER.INFO.*.*",
  "CONSUMER.MSG.NEXT.*.*",
];
const PLAIN = ["*.*.*.*", "$JS.ACK.>"];

function exported(subject: string): string {
  return `{ service: "${subject}"${subject.includes("NEXT") ? ", response_type: Stream" : ""} }`;
}

function imported(subject: string): string {
  const from = `{ account: MESH, subject: "${subject}" }`;
  return subject.startsWith("$JS.API")
    ? `{ service: ${from}, to: "JS.MESH.API${subject.slice("$JS.API".length)}" }`
    : `{ service: ${from} }`;
}

const subjects = [...CALLS.map((call) => `$JS.API.${call}`), ...PLAIN];
const configuration = `accounts {
  MESH {
    jetstream: enabled
    users: [{ user: operator, password: secret }]
    exports: [ ${subjects.map(exported).join("\n")} ]
  }
  service {
    users: [{ user: contract, password: secret }]
    mappings: { "$JS.API.>": "JS.MESH.API.>" }
    imports: [ ${subjects.map(imported).join("\n")} ]
  }
}`;

let nats: TestNats;
beforeAll(async () => {
  nats = await startNats({ configuration });
});
afterAll(() => nats?.remove());

async function open() {
  const broker = await connectJetStream({
    url: nats.url,
    name: "contract",
    user: "contract",
    password: "secret",
    logger: recordingLogger(),
  });
  const admin = await connect({ servers: nats.url, user: "operator", pass: "secret" });
  const manager = await admin.jetstreamManager();
  await waitFor(() => broker.connected());
  return { broker, admin, manager };
}

brokerContract("JetStream in another account", async () => {
  const { broker, admin, manager } = await open();
  return {
    broker,
    deleteStream: async (name) => {
      await manager.streams.delete(name);
    },
    deleteConsumer: async (stream, durable) => {
      await manager.consumers.delete(stream, durable);
    },
    close: async () => {
      await broker.close();
      await admin.close();
    },
  };
});

test("an empty message without headers holds up no other, though the broker ends the pull with it", async () => {
  const { broker, admin } = await open();
  const stream = streamPlan();
  await broker.ensureStream(stream);
  const plan = durablePlan(stream, { ackWaitSeconds: 60 });
  await broker.ensureConsumer(plan);
  const js = admin.jetstream();
  for (let n = 0; n < 200; n += 1) await js.publish(subjectIn(stream, `e${n}`), n % 20 === 0 ? "" : "{}");
  const subscription = await broker.consume(plan, 100);
  const seen = new Set<number>();
  const started = performance.now();
  while (seen.size < 200 && performance.now() - started < 20_000) {
    for (const message of await subscription.next(100, 1_000)) {
      seen.add(message.seq);
      message.ack();
    }
  }
  expect(seen.size).toBe(200);
  await js.publish(subjectIn(stream, "empty"));
  await js.publish(subjectIn(stream, "after"), "{}");
  for (const message of await take(subscription, 2, 5_000)) message.ack();
  await waitFor(async () => (await broker.consumerState(stream.name, plan.durable))?.ackPending === 0);
  await subscription.stop();
  await broker.close();
  await admin.close();
});
