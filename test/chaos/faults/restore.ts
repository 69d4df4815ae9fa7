import type { ServiceName } from "../project.js";
import { type FaultKind, STREAM_OF, type Striking } from "./fault.js";

/**
 * A database goes back to a backup that was taken earlier in the round, while its service is down. Its
 * own stream loses nothing in that round: a source that forgot and a stream that forgot leave nobody who knows.
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
        async strike(striking) {
          await whileDown(striking, { service, crash }, () => mesh.databases.backUp(service));
          return async () => {
            striking.facts.restored.add(service);
            await whileDown(striking, { service, crash }, () => mesh.databases.restore(service));
            striking.ledger.forget(service);
          };
        },
      };
    },
  };
}

interface Down {
  readonly service: ServiceName;
  /** Killed, not stopped: what it had in flight is anywhere. */
  readonly crash: boolean;
}

async function whileDown({ mesh }: Striking, { service, crash }: Down, work: () => Promise<void>) {
  const replicas = mesh.of(service);
  await Promise.all(replicas.map((replica) => (crash ? replica.kill() : replica.stop())));
  try {
    await work();
  } finally {
    for (const replica of replicas) replica.start();
  }
}
