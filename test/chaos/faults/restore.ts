import type { ServiceName } from "../project.js";
import { type FaultContext, type FaultKind, STREAM_OF } from "./fault.js";

/**
 * Restores a database from a backup that was taken earlier in the round, while its service is down. Its stream loses
 * nothing in that round: what both have lost cannot be recovered.
 */
export const restoreFaults: readonly FaultKind[] = [
  restoreOf("restore owner's database", 4, ["auth"]),
  restoreOf("restore consumer's database", 4, ["sfs", "sfs", "compute", "gateway"]),
];

function restoreOf(kind: string, weight: number, services: readonly ServiceName[]): FaultKind {
  return {
    kind,
    weight,
    plan(random, mesh) {
      const service = random.pick(services);
      const replicas = mesh.of(service).map((replica) => replica.name);
      const crash = random.chance(0.5);
      return {
        what: `database of ${service} restored from a backup`,
        holds: ["postgres", "backends", "loss", ...replicas, STREAM_OF[service]],
        leastMs: 800,
        async begin(context) {
          await whileDown(context, { service, crash }, () => mesh.databases.backUp(service));
          return async () => {
            context.facts.restored.add(service);
            await whileDown(context, { service, crash }, () => mesh.databases.restore(service));
            context.writeLog.forget(service);
          };
        },
      };
    },
  };
}

interface Down {
  readonly service: ServiceName;
  /** Kill the processes instead of stopping them. */
  readonly crash: boolean;
}

async function whileDown({ mesh }: FaultContext, { service, crash }: Down, work: () => Promise<void>) {
  const replicas = mesh.of(service);
  await Promise.all(replicas.map((replica) => (crash ? replica.kill() : replica.stop())));
  try {
    await work();
  } finally {
    for (const replica of replicas) replica.start();
  }
}
