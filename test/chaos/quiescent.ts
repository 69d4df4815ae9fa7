import { DURABLES } from "./faults/fault.js";
import type { ChaosMesh } from "./mesh.js";
import { SERVICES, type ServiceName } from "./project.js";

/** What is still queued, in flight, due for a retry or not ready; empty when the mesh is quiescent. */
export async function findPendingWork(mesh: ChaosMesh): Promise<readonly string[]> {
  const found = await Promise.all([
    ...SERVICES.map((service) => inDatabase(mesh, service)),
    ...DURABLES.map(({ stream, durable }) => inDurable(mesh, stream, durable)),
    ...mesh.replicas.map((replica) =>
      replica.health().then((health) => {
        if (health?.status === "ready") return [];
        return [`${replica.name} is ${health?.status ?? "silent"}: ${health?.reasons?.join("; ") ?? ""}`];
      }),
    ),
  ]);
  return found.flat();
}

async function inDatabase({ databases }: ChaosMesh, service: ServiceName): Promise<readonly string[]> {
  const queues = ["outbox", "attempt", "cascade_task"];
  const counts = queues
    .map((queue) => `(SELECT count(*)::integer FROM mesh.${queue}) AS ${queue}`)
    .join(", ");
  try {
    const { rows } = await databases.pools[service].query<Record<string, number>>(`SELECT ${counts}`);
    return queues.flatMap((queue) =>
      rows[0]?.[queue] === 0 ? [] : [`${rows[0]?.[queue]} rows in mesh.${queue} of ${service}`],
    );
  } catch (error) {
    return [`database of ${service}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

async function inDurable({ broker }: ChaosMesh, stream: string, durable: string): Promise<readonly string[]> {
  try {
    const { num_pending, num_ack_pending } = await broker.jsm.consumers.info(stream, durable);
    return num_pending + num_ack_pending === 0
      ? []
      : [`${durable}: ${num_pending} pending, ${num_ack_pending} without an ack`];
  } catch (error) {
    return [`${durable}: ${error instanceof Error ? error.message : String(error)}`];
  }
}
