import { connectJetStream } from "meshwright/runtime";
import type { Mesh } from "../../model/mesh.js";
import { quietLogger } from "../terminal.js";

/**
 * Creates the streams and durables that the services may use and may not create themselves, as
 * whoever operates the broker. What is there already is brought up to the plan and keeps its messages.
 */
export async function provision(mesh: Mesh, natsUrl: string): Promise<void> {
  const broker = await connectJetStream({ url: natsUrl, name: "mesh_operator", logger: quietLogger });
  try {
    for (const { external, replicas, ...stream } of mesh.streams) {
      await broker.ensureStream({
        ...stream,
        ...(replicas === undefined ? {} : { replicas }),
        ...(external && { external }),
      });
    }
    const present = new Set<string>();
    for (const { name } of mesh.streams) if (await broker.streamState(name)) present.add(name);
    for (const consumer of mesh.services.flatMap((service) => service.consumers)) {
      // An external owner's stream may not exist yet; its consumers wait for it.
      if (!present.has(consumer.stream)) continue;
      await broker.ensureConsumer({
        stream: consumer.stream,
        durable: consumer.durable,
        filter: consumer.filter,
        ackWaitSeconds: consumer.delivery.ackWaitSeconds,
        maxAckPending: consumer.delivery.maxAckPending,
      });
    }
  } finally {
    await broker.close();
  }
}
