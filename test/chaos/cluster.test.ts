import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connectJetStream } from "../../runtime/broker/jetstream.js";
import { afterTest } from "../support/after-test.js";
import { recordingLogger } from "../support/loggers.js";
import { waitFor } from "../support/servers.js";
import { type ChaosBroker, startBroker } from "./broker.js";

async function startCluster(): Promise<ChaosBroker> {
  const folder = await mkdtemp(join(tmpdir(), "mesh-cluster-"));
  afterTest(() => rm(folder, { recursive: true, force: true }));
  const cluster = await startBroker(folder, 3);
  afterTest(() => cluster.stop());
  return cluster;
}

test("a stream and a durable that many clients created at once keep their creation times whichever node leads them", {
  timeout: 180_000,
}, async () => {
  const cluster = await startCluster();
  const url = cluster.nodes.map((node) => node.server.url).join(",");
  const brokers = await Promise.all(
    Array.from({ length: 6 }, () => connectJetStream({ url, name: "known", logger: recordingLogger() })),
  );
  afterTest(() => Promise.all(brokers.map((broker) => broker.close())));
  const [broker] = brokers;
  if (broker === undefined) throw new Error("no connection");
  const stream = {
    name: "KNOWN",
    subjects: ["known.>"],
    replicas: 3,
    maxAgeSeconds: 3_600,
    maxMessages: 1_000,
    maxBytes: 1_000_000,
    duplicateWindowSeconds: 60,
  };
  const durable = {
    stream: "KNOWN",
    durable: "reader",
    filter: "known.>",
    ackWaitSeconds: 5,
    maxAckPending: 10,
  };
  // As the replicas of a service and of its consumers do when all of them start; a request may time out meanwhile.
  const insist = <T>(ask: () => Promise<T>) => waitFor(ask, { what: "an answer", everyMs: 200 });
  const streams = new Set<string>(
    await Promise.all(
      brokers.map((one) => insist(async () => (await one.ensureStream(stream))?.created ?? "")),
    ),
  );
  const durables = new Set<string>(
    await Promise.all(
      brokers.map((one) => insist(async () => (await one.ensureConsumer(durable)).state.created)),
    ),
  );
  const leaders = new Set<string>();
  for (let killed = 0; killed < 3; killed += 1) {
    const leader = await waitFor(() => cluster.leader("KNOWN"), { what: "a leader" });
    leaders.add(leader.name);
    await leader.server.kill();
    // A node that is back at once may lead again, and nothing would have been asked of another.
    const other = async () => (await cluster.leader("KNOWN")) ?? leader;
    await waitFor(async () => (await other()) !== leader, { what: "another leader", timeoutMs: 30_000 });
    await leader.server.restart();
    const under = { what: "the stream and the durable under other leaders" };
    streams.add(await waitFor(async () => (await broker.streamState("KNOWN"))?.created, under));
    durables.add(await waitFor(async () => (await broker.consumerState("KNOWN", "reader"))?.created, under));
  }
  expect(leaders.size).toBeGreaterThan(1);
  expect([...streams]).toHaveLength(1);
  expect([...durables]).toHaveLength(1);
});
