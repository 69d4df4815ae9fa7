import type { JetStreamManager, Msg, NatsConnection } from "nats";
import { ackSubjectOf, readAckSubject } from "./ack-subject.js";
import type { ConsumerPlan } from "./broker.js";
import type { Connection } from "./connection.js";

/*
 * From another account, the broker takes a message without a body and without headers for the end of a pull. What it
 * delivers to that pull afterwards reaches nobody, and would come again only after the ack wait: everybody's events
 * would wait for one that is broken. So we hand it back ourselves. What another replica has in hand is delivered twice
 * then, which the order guard absorbs.
 */

const HAND_BACK = Buffer.from("-NAK");
/** Further messages of that kind may follow at once. */
const COLLECT_MS = 100;

export interface UndeliveredOptions {
  readonly connection: Connection;
  readonly manager: (client: NatsConnection) => Promise<JetStreamManager>;
  readonly plan: ConsumerPlan;
  /** How long the broker may go on delivering to a pull that it has ended, where another node holds the durable. */
  readonly pullExpiresMs: number;
  /** What we have in hand. */
  readonly holds: (seq: number) => boolean;
}

export interface Undelivered {
  /** Hands back what was delivered to nobody behind this message, of which that is the reply subject. */
  behind(reply: string): void;
  stop(): void;
}

export function endsPull(message: Msg): boolean {
  return message.data.length === 0 && message.headers === undefined;
}

export function createUndelivered(options: UndeliveredOptions): Undelivered {
  const { connection, manager, plan, pullExpiresMs, holds } = options;
  const timers = new Set<NodeJS.Timeout>();
  let first: string | undefined;
  const handBack = async (reply: string) => {
    const client = connection.client();
    if (!client) return;
    const { delivered } = await (await manager(client)).consumers.info(plan.stream, plan.durable);
    const { seq: last } = readAckSubject(reply);
    const end = Math.min(delivered.stream_seq, last + plan.maxAckPending);
    for (let seq = last + 1; seq <= end && !client.isClosed(); seq += 1) {
      if (holds(seq)) continue;
      client.publish(ackSubjectOf(reply, { seq, consumerSeq: delivered.consumer_seq }), HAND_BACK);
    }
  };
  const later = (ms: number, reply: string) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (first === reply) first = undefined;
      // Otherwise it comes after the ack wait.
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
