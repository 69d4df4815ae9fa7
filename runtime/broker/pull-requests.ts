import { createInbox, type Msg, type NatsConnection, nanos, type Subscription } from "nats";
import { messageOf } from "../text/error-message.js";
import type { ConsumerPlan } from "./broker.js";
import type { Connection } from "./connection.js";
import type { Answer } from "./delivery.js";
import { endsPull } from "./undelivered.js";

/** An idle broker sends a heartbeat per pull this often. Two missing ones mean that it has forgotten the pull. */
const HEARTBEAT_MS = 1_000;
const SILENCE_MS = 2_500;
/** Short: until then a cluster may deliver to a pull from another account whose inbox is gone. */
export const PULL_EXPIRES_MS = 2_000;

export interface PullOptions {
  readonly connection: Connection;
  readonly inboxPrefix: string;
  readonly plan: ConsumerPlan;
  /** Messages to have at hand, those that wait to be taken included. */
  readonly prefetch: number;
  readonly waiting: () => number;
  /** No pull may be sent any more. */
  readonly isOver: () => boolean;
  /** No pull may be sent for now. */
  readonly isBackingOff: () => boolean;
  /** Gives its body. */
  readonly onMessage: (message: Msg, reply: string, now: number, answer: Answer) => Uint8Array;
  readonly onTrouble: (reason: string) => void;
  /** The broker may have ended the pull with the message that has this reply subject. */
  readonly onEnded: (reply: string) => void;
}

/**
 * The pulls of one durable. Every message and status of a pull comes to one inbox; `asked` counts the messages that the
 * broker still owes us. Where the count may be wrong (after a reconnection, or silence) a new inbox takes the place of this one, and
 * the count starts from zero: the broker drops a pull whose inbox nobody listens to.
 */
export interface Pulls {
  /** Pulls more messages, where at least half of the buffer is free. */
  ask(): void;
  /** Leaves the inbox, and pulls into a new one. */
  renew(): void;
  /** The connection is lost: with the next one nothing may come of a former pull. */
  abandon(): void;
  /** To be called regularly: pulls more, or reports a broker that has been silent for 2.5 s. */
  poll(now: number): void;
  /** The silence up to now was ours: it does not count. */
  excuseSilence(now: number): void;
  /** Stops listening once all that the broker had already sent has arrived. */
  drain(): Promise<void>;
}

export function openPulls(options: PullOptions): Pulls {
  const { connection, plan, prefetch, waiting, isOver, isBackingOff, onMessage, onTrouble, onEnded } =
    options;
  const subject = `$JS.API.CONSUMER.MSG.NEXT.${plan.stream}.${plan.durable}`;
  let asked = 0;
  let inbox: Subscription | undefined;
  let heardAt = performance.now();

  const ask = () => {
    const client = connection.client();
    const room = prefetch - waiting() - asked;
    if (!client || !inbox || isOver() || isBackingOff()) return;
    // Few large requests: sent at half, the next one is answered before the last one is used up.
    if (room < Math.max(1, prefetch / 2)) return;
    asked += room;
    if (asked === room) heardAt = performance.now();
    const request = { batch: room, expires: nanos(PULL_EXPIRES_MS), idle_heartbeat: nanos(HEARTBEAT_MS) };
    client.publish(subject, JSON.stringify(request), { reply: inbox.getSubject() });
  };

  const receive = (from: Subscription, answer: Answer, error: Error | null, message: Msg) => {
    if (error) return onTrouble(messageOf(error));
    heardAt = performance.now();
    const reply = message.reply;
    if (reply) {
      if (from === inbox) asked = Math.max(0, asked - 1);
      const body = onMessage(message, reply, heardAt, answer);
      if (from === inbox && endsPull(body, message)) {
        renew();
        onEnded(reply);
      }
      return;
    }
    // The status of a pull into a former inbox says nothing about the present pulls.
    if (from === inbox) readStatus(message);
  };

  const readStatus = (message: Msg) => {
    const code = message.headers?.code ?? 0;
    if (code === 100) return;
    const reason = message.headers?.description ?? "";
    const owed = Number(message.headers?.get("Nats-Pending-Messages") ?? "");
    // 404 and 408 end one pull, and so does a 409 that says how many messages it left.
    if (code === 404 || code === 408 || owed > 0) {
      asked = Math.max(0, asked - (owed || asked));
      return code === 409 ? onTrouble(reason) : ask();
    }
    asked = 0;
    onTrouble(code === 503 ? "nobody answers pulls" : reason);
  };

  const renew = () => {
    const client = connection.client();
    const former = inbox;
    inbox = undefined;
    asked = 0;
    // Drained, not closed: what is on its way still arrives, instead of being redelivered after the ack wait.
    if (former && !former.isClosed()) void former.drain().catch(() => undefined);
    if (!client || isOver()) return;
    const answer = answerInto(client);
    const made: Subscription = client.subscribe(createInbox(options.inboxPrefix), {
      callback: (error, message) => receive(made, answer, error, message),
    });
    inbox = made;
    heardAt = performance.now();
    ask();
  };

  return {
    ask,
    renew,
    abandon() {
      // The client would subscribe to it again.
      if (inbox && !inbox.isClosed()) inbox.unsubscribe();
      inbox = undefined;
      asked = 0;
    },
    poll(now) {
      if (asked > 0 && now - heardAt > SILENCE_MS) onTrouble("the broker is silent");
      else ask();
    },
    excuseSilence(now) {
      heardAt = now;
    },
    async drain() {
      if (inbox && !inbox.isClosed()) await inbox.drain();
    },
  };
}

/** Into the connection that brought the message. Into a closed one it is lost: the message comes again after its ack wait. */
function answerInto(client: NatsConnection): Answer {
  return (reply, answer) => {
    try {
      client.publish(reply, answer);
    } catch {
      // Closed, or about to be.
    }
  };
}
