import type { BrokerNode } from "../broker.js";
import type { FaultKind } from "./fault.js";

async function kill(node: BrokerNode): Promise<() => Promise<void>> {
  await node.server.kill();
  return () => node.server.restart();
}

export const serverFaults: readonly FaultKind[] = [
  {
    kind: "kill broker",
    weight: 8,
    plan(random, mesh) {
      const node = random.pick(mesh.broker.nodes);
      return {
        what: `kill -9 broker ${node.name}`,
        // One node at a time: two of three are no quorum, which a cluster does not promise to survive.
        holds: ["broker"],
        begin: () => kill(node),
      };
    },
  },
  {
    kind: "kill leader",
    weight: 10,
    on: "cluster",
    plan(random) {
      const stream = random.pick(["AUTH", "AUTH", "COMPUTE"]);
      return {
        what: `kill -9 the leader of ${stream}, again and again`,
        holds: ["broker"],
        leastMs: 100,
        async begin({ mesh, wait, note }) {
          for (let times = 0; times < 3; times += 1) {
            const node = await mesh.broker.leader(stream);
            if (node === undefined) {
              await wait(300);
              continue;
            }
            const restart = await kill(node);
            note(`${node.name} led ${stream} and was killed`);
            await wait(random.between(200, 900));
            await restart();
            await wait(random.between(300, 900));
          }
          return async () => undefined;
        },
      };
    },
  },
  {
    kind: "kill database",
    weight: 7,
    plan: (_random, mesh) => ({
      what: "kill -9 PostgreSQL",
      holds: ["postgres"],
      async begin() {
        await mesh.databases.server.kill();
        return () => mesh.databases.server.restart();
      },
    }),
  },
  {
    kind: "break database connections",
    weight: 6,
    plan: (_random, mesh) => ({
      what: "pg_terminate_backend of every connection, again and again",
      holds: ["backends"],
      async begin({ wait }) {
        for (let times = 0; times < 5; times += 1) {
          const ended = mesh.databases.pools.auth.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'meshwright%'",
          );
          await ended.catch(() => undefined);
          await wait(200);
        }
        return async () => undefined;
      },
    }),
  },
];
