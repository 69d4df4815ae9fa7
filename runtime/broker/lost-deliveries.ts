import type { ConsumerInfo, JetStreamManager, NatsConnection } from "nats";
import type { Logger } from "../definition/hook-definition.js";
import { pause } from "../pause.js";
import { ackSubjectOf } from "./ack-subject.js";
import type { ConsumerPlan } from "./broker.js";
import type { Connection } from "./connection.js";
import { nakAfter, type PulledMessage } from "./delivery.js";
import type { InFlightMessages } from "./in-flight.js";
import { PULL_EXPIRES_MS } from "./pull-requests.js";

/*
 * What was delivered into a lost connection reaches nobody. The broker redelivers it after the ack wait, and delivers what was stored
 * after it before: events of one entity would change places, and a service without a database, or an event without a version,
 * shows no gap. So before the first pull of the next connection these messages are handed back: the broker redelivers them
 * first, in the order of the stream. So are those whose delay may have been lost with the connection, or passed meanwhile.
 * Not where other replicas take messages of the durable: these may have them in hand, and replicas may overtake each other anyway.
 */

export interface LostDeliveriesOptions {
  readonly connection: Connection;
  readonly manager: (client: NatsConnection) => Promise<JetStreamManager>;
  readonly plan: ConsumerPlan;
  readonly inFlight: InFlightMessages;
  /** The subscription has ended. */
  readonly isOver: () => boolean;
  readonly logger: Logger;
}

export interface LostDeliveries {
  received(message: PulledMessage, reply: string): void;
  /** After a reconnection. Resolves when the broker may be asked for messages; never rejects. */
  handBack(): Promise<void>;
  /** No pull may be sent. */
  isHandingBack(): boolean;
}

/** Another replica counts as one that takes messages for this long after it took one. */
const SHARED_MS = 60_000;
const ASK_AGAIN_MS = 100;
const CONFIRM_MS = 2_000;
const HAND_BACK = Buffer.from("-NAK");

export function createLostDeliveries(options: LostDeliveriesOptions): LostDeliveries {
  const { connection, plan, inFlight, logger } = options;
  let last: { readonly reply: string; readonly consumerSeq: number } | undefined;
  let highest = 0;
  let sharedAt = Number.NEGATIVE_INFINITY;
  let handingBack = 0;

  const handBack = async (client: NatsConnection) => {
    if (last === undefined || performance.now() - sharedAt < SHARED_MS) return;
    const info = await readOnceNobodyPulls(client, options);
    if (info === undefined || info.num_ack_pending === 0) return;
    const { consumer_seq: consumerSeq, stream_seq: delivered } = info.delivered;
    const delays = new Map(inFlight.postponed());
    const end = Math.min(delivered, highest + plan.maxAckPending);
    // Also those that the filter leaves out: the broker passes over what is not pending.
    if (consumerSeq > last.consumerSeq) for (let seq = highest + 1; seq <= end; seq += 1) delays.set(seq, 0);
    const { reply } = last;
    last = { reply, consumerSeq };
    const messages = [...delays].toSorted(([a], [b]) => a - b);
    const [newest] = messages.at(-1) ?? [];
    for (const [seq, delayMs] of messages) {
      const subject = ackSubjectOf(reply, { seq, consumerSeq });
      const nak = delayMs > 0 ? nakAfter(delayMs) : HAND_BACK;
      if (seq !== newest) client.publish(subject, nak);
      // Its answer shows that the broker has read all of them: a pull takes another way, and might overtake them.
      else await client.request(subject, nak, { timeout: CONFIRM_MS });
    }
    if (messages.length > 0)
      logger.debug(
        { durable: plan.durable, upTo: newest },
        "handed back what a lost connection may have had",
      );
  };

  return {
    received({ seq, consumerSeq }, reply) {
      if (last !== undefined && consumerSeq !== last.consumerSeq + 1) sharedAt = performance.now();
      last = { reply, consumerSeq };
      if (seq > highest) highest = seq;
    },
    async handBack() {
      const client = connection.client();
      if (client === undefined) return;
      handingBack += 1;
      try {
        await handBack(client);
      } catch {
        // They come again after the ack wait.
      } finally {
        handingBack -= 1;
      }
    },
    isHandingBack: () => handingBack > 0,
  };
}

/** Undefined where another replica pulls. A pull into the lost connection may live on until it expires. */
async function readOnceNobodyPulls(
  client: NatsConnection,
  { manager, plan, isOver }: LostDeliveriesOptions,
): Promise<ConsumerInfo | undefined> {
  const { consumers } = await manager(client);
  const expired = performance.now() + PULL_EXPIRES_MS + ASK_AGAIN_MS;
  for (;;) {
    const info = await consumers.info(plan.stream, plan.durable);
    if (info.num_waiting === 0) return info;
    if (isOver() || client.isClosed() || performance.now() > expired) return undefined;
    await pause(ASK_AGAIN_MS);
  }
}
