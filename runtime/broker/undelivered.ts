import type { JetStreamManager, Msg, NatsConnection } from "nats";
import { ackSubjectOf, readAckSubject } from "./ack-subject.js";
import type { ConsumerPlan } from "./broker.js";
import type { Connection } from "./connection.js";

/*
 * Where the stream is in another account, the broker takes a message without body and headers for the end of a pull. What it
 * delivers to that pull afterwards reaches nobody, and would be redelivered only after the ack wait: all events would wait
 * for one broken message. So we hand those messages back ourselves. A message that another replica has in hand is then
 * delivered twice, which the order guard absorbs.
 */

const HAND_BACK = Buffer.from("-NAK");
/** Waits for further messages of that kind, which may follow at once. */
const COLLECT_MS = 100;

export interface UndeliveredOptions {
  readonly connection: Connection;
  readonly manager: (client: NatsConnection) => Promise<JetStreamManager>;
  readonly plan: ConsumerPlan;
  /** How long the broker may go on delivering to a pull that has ended, where another node holds the durable. */
  readonly pullExpiresMs: number;
  /** Whether this subscription has the message, and must not hand it back. */
  readonly isInFlight: (seq: number) => boolean;
}

export interface Undelivered {
  /** Hands back what was delivered to nobody behind the message with this reply subject. */
  behind(reply: string): void;
  stop(): void;
}

export function endsPull(body: Uint8Array, message: Msg): boolean {
  return body.length === 0 && message.headers === undefined;
}

export function createUndelivered(options: UndeliveredOptions): Undelivered {
  const { connection, manager, plan, pullExpiresMs, isInFlight } = options;
  const timers = new Set<NodeJS.Timeout>();
  let first: string | undefined;
  const handBack = async (reply: string) => {
    const client = connection.client();
    if (!client) return;
    const { delivered } = await (await manager(client)).consumers.info(plan.stream, plan.durable);
    const { seq: last } = readAckSubject(reply);
    const end = Math.min(delivered.stream_seq, last + plan.maxAckPending);
    for (let seq = last + 1; seq <= end && !client.isClosed(); seq += 1) {
      if (isInFlight(seq)) continue;
      client.publish(ackSubjectOf(reply, { seq, consumerSeq: delivered.consumer_seq }), HAND_BACK);
    }
  };
  const later = (ms: number, reply: string) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (first === reply) first = undefined;
      // Where this fails they are redelivered after the ack wait.
      handBack(reply).catch(() => undefined);
    }, ms);
    timers.add(timer);
  };
  return {
    behind(reply) {
      if (first !== undefined) return;
      first = reply;
      later(COLLECT_MS, reply);
      later(pullExpiresMs + COLLECT_MS, reply);
    },
    stop() {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
