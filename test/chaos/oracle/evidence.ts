import type { ChaosMesh } from "../mesh.js";

/** For a report: the entity's newest messages, the state of the durable and of the stream, and the latest effects. */
export async function findEvidence(
  { broker, databases }: ChaosMesh,
  id: string,
  durable: string,
): Promise<object> {
  try {
    const consumer = await broker.js.consumers.get("AUTH", { filterSubjects: [`auth.user.${id}.*`] });
    const messages: object[] = [];
    for await (const { seq, subject, headers, data } of await consumer.fetch({
      max_messages: 500,
      expires: 1_000,
    })) {
      const { metadata } = JSON.parse(Buffer.from(data).toString()) as { metadata?: { version?: number } };
      messages.push({ seq, subject, version: metadata?.version, id: headers?.get("Nats-Msg-Id") });
    }
    const { created, delivered, ack_floor, num_ack_pending, num_redelivered, num_pending, cluster } =
      await broker.jsm.consumers.info("AUTH", durable);
    const { rows: effects } = await databases.pools.sfs.query(
      "SELECT action, version, origin, process, at FROM effects WHERE user_id = $1 ORDER BY at DESC LIMIT 8",
      [id],
    );
    return {
      effects,
      messages: messages.slice(-6),
      durable: { created, delivered, ack_floor, num_ack_pending, num_redelivered, num_pending, cluster },
      stream: (await broker.stream("AUTH"))?.state,
    };
  } catch (error) {
    return { error: String(error) };
  }
}
