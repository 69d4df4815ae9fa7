import { rm, writeFile } from "node:fs/promises";
import type { FaultKind } from "./fault.js";

/** Longer than a relay trusts a validated lease: it wakes up and believes that it still leads. */
const FREEZE_MS = 1_800;

export const processFaults: readonly FaultKind[] = [
  {
    kind: "kill process",
    weight: 14,
    plan(random, mesh) {
      const replica = random.pick(mesh.replicas);
      return {
        what: `kill -9 ${replica.name}`,
        holds: [replica.name],
        async begin() {
          await replica.kill();
          return async () => replica.start();
        },
      };
    },
  },
  {
    kind: "kill process again and again",
    weight: 4,
    plan(random, mesh) {
      const replica = random.pick(mesh.replicas);
      return {
        what: `kill -9 ${replica.name} again and again`,
        holds: [replica.name],
        async begin({ wait }) {
          for (let times = 0; times < 4; times += 1) {
            await replica.kill();
            replica.start();
            // About when it has started to work.
            await wait(random.between(250, 600));
          }
          await replica.kill();
          return async () => replica.start();
        },
      };
    },
  },
  {
    kind: "freeze process",
    weight: 8,
    plan(random, mesh) {
      const replica = random.pick(mesh.replicas);
      return {
        what: `SIGSTOP ${replica.name}`,
        holds: [replica.name],
        leastMs: FREEZE_MS,
        async begin() {
          replica.freeze();
          return async () => replica.thaw();
        },
      };
    },
  },
  {
    kind: "stop process",
    weight: 8,
    plan(random, mesh) {
      const replica = random.pick(mesh.replicas);
      return {
        what: `SIGTERM ${replica.name}`,
        holds: [replica.name],
        async begin({ note }) {
          const how = await replica.stop();
          if (how !== "exit code 0") note(`${replica.name} stopped with ${how}`);
          return async () => replica.start();
        },
      };
    },
  },
  {
    kind: "hook out of reach",
    weight: 5,
    plan: (_random, mesh) => ({
      what: "the hook before a container's deletion fails",
      holds: ["hook"],
      async begin() {
        await writeFile(mesh.clusterDown, "");
        return () => rm(mesh.clusterDown, { force: true });
      },
    }),
  },
];
