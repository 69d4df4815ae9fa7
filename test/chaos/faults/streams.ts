import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { DURABLES, type FaultContext, type FaultKind } from "./fault.js";

const STREAMS = ["AUTH", "AUTH", "COMPUTE"] as const;

/** Retries until it works: the broker may be restarting. */
async function insist(context: FaultContext, work: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await work();
      return;
    } catch (error) {
      const missing = error instanceof Error && /not found/.test(error.message);
      if (missing || tries === 20) return;
      await context.wait(250);
    }
  }
}

export const streamFaults: readonly FaultKind[] = [
  {
    kind: "delete durable",
    weight: 6,
    plan(random, mesh) {
      const { stream, durable } = random.pick(DURABLES);
      return {
        what: `durable ${durable} deleted`,
        holds: [durable],
        async begin(context) {
          await insist(context, () => mesh.broker.jsm.consumers.delete(stream, durable));
          return async () => undefined;
        },
      };
    },
  },
  {
    kind: "delete stream",
    weight: 4,
    plan(random, mesh) {
      const stream = random.pick(STREAMS);
      return {
        what: `stream ${stream} deleted`,
        holds: [stream, "loss"],
        async begin(context) {
          context.facts.lostMessages.add(stream);
          await insist(context, () => mesh.broker.jsm.streams.delete(stream));
          return async () => undefined;
        },
      };
    },
  },
  {
    kind: "purge stream",
    weight: 4,
    plan(random, mesh) {
      const stream = random.pick(STREAMS);
      return {
        what: `stream ${stream} purged`,
        holds: [stream, "loss"],
        async begin(context) {
          context.facts.lostMessages.add(stream);
          await insist(context, () => mesh.broker.jsm.streams.purge(stream));
          return async () => undefined;
        },
      };
    },
  },
  {
    kind: "lose tail of a stream",
    weight: 5,
    on: "single",
    plan(random) {
      const streams = random.chance(0.3) ? ["AUTH", "SFS", "COMPUTE", "GATEWAY"] : [random.pick(STREAMS)];
      return {
        what: `the broker's disk goes back to a copy: ${streams.join(", ")}`,
        holds: ["broker", "loss", ...streams],
        leastMs: 700,
        begin: (context) => loseTail(context, streams),
      };
    },
  },
];

/** Copies the streams' folders while the broker is down; replaces the folders by the copies when the fault ends. */
async function loseTail(
  { mesh, facts }: FaultContext,
  streams: readonly string[],
): Promise<() => Promise<void>> {
  const [node] = mesh.broker.nodes;
  if (node === undefined) throw new Error("a mesh without a broker");
  const copy = join(mesh.folder, "tail");
  const folders = streams.map((stream) => ({
    live: join(node.folder, stream),
    saved: join(copy, stream),
  }));
  await node.server.stop();
  for (const { live, saved } of folders) await cp(live, saved, { recursive: true });
  await node.server.restart();
  return async () => {
    for (const stream of streams) facts.lostMessages.add(stream);
    await node.server.kill();
    for (const { live, saved } of folders) {
      await rm(live, { recursive: true, force: true });
      await cp(saved, live, { recursive: true });
    }
    await rm(copy, { recursive: true, force: true });
    await node.server.restart();
  };
}
