import { createInbox, type Msg, nanos, type Subscription } from "nats";
import { messageOf } from "../text/error-message.js";
import type { ConsumerPlan } from "./broker.js";
import type { Connection } from "./connection.js";
import { endsPull } from "./undelivered.js";

/** An idle broker answers a pull this often; more than two missing answers mean that it forgot the pull. */
const HEARTBEAT_MS = 1_000;
const SILENCE_MS = 2_500;
/** Short: in a cluster, the broker goes on delivering to a pull from another account whose inbox is gone until then. */
export const PULL_EXPIRES_MS = 2_000;

export interface PullOptions {
  readonly connection: Connection;
  readonly inboxPrefix: string;
  readonly plan: ConsumerPlan;
  /** So many messages are wanted at the most, those that wait included. */
  readonly prefetch: number;
  readonly waiting: () => number;
  /** Nothing is to be pulled any more. */
  readonly over: () => boolean;
  /** Nothing is to be pulled for now. */
  readonly holdsOff: () => boolean;
  readonly onMessage: (message: Msg, reply: string, now: number) => void;
  readonly onTrouble: (reason: string) => void;
  /** With this message, of which that is the reply subject, the broker may have ended the pull. */
  readonly onEnded: (reply: string) => void;
}

/**
 * The pulls of one durable. Every message and status of a pull comes to one inbox; `asked` is what the
 * broker still owes us. Whenever that may be wrong (a reconnection, silence), the inbox is given up with
 * its pulls, and a new one starts from zero: the broker drops a pull whose inbox nobody listens to.
 */
export interface Pulls {
  /** Asks for more, where there is room for enough to be worth a request. */
  ask(): void;
  /** Gives the inbox up, and pulls into another. */
  renew(): void;
  /** Now and then: asks for more, unless the broker has been silent for too long. */
  check(now: number): void;
  /** Silence up to now means nothing. */
  excuse(now: number): void;
  /** Stops listening, after all that the broker had already sent. */
  drain(): Promise<void>;
}

export function openPulls(options: PullOptions): Pulls {
  const { connection, plan, prefetch, waiting, over, holdsOff, onMessage, onTrouble, onEnded } = options;
  const subject = `$JS.API.CONSUMER.MSG.NEXT.${plan.stream}.${plan.durable}`;
  let asked = 0;
  let inbox: Subscription | undefined;
  let heardAt = performance.now();

  const ask = () => {
    const client = connection.client();
    const room = prefetch - waiting() - asked;
    if (!client || !inbox || over() || holdsOff()) return;
    // Few large requests: at half, so that the next one is there before the last one is used up.
    if (room < Math.max(1, prefetch / 2)) return;
    asked += room;
    if (asked === room) heardAt = performance.now();
    const request = { batch: room, expires: nanos(PULL_EXPIRES_MS), idle_heartbeat: nanos(HEARTBEAT_MS) };
    client.publish(subject, JSON.stringify(request), { reply: inbox.getSubject() });
  };

  const receive = (from: Subscription | undefined, error: Error | null, message: Msg) => {
    if (error) return onTrouble(messageOf(error));
    heardAt = performance.now();
    const reply = message.reply;
    if (reply) {
      if (from === inbox) asked = Math.max(0, asked - 1);
      onMessage(message, reply, heardAt);
      if (from === inbox && endsPull(message)) {
        renew();
        onEnded(reply);
      }
      return;
    }
    // A status of a pull that was given up with its inbox says nothing about the present ones.
    if (from === inbox) readStatus(message);
  };

  const readStatus = (message: Msg) => {
    const code = message.headers?.code ?? 0;
    if (code === 100) return;
    const reason = message.headers?.description ?? "";
    const owed = Number(message.headers?.get("Nats-Pending-Messages") ?? "");
    // 404 and 408 end one pull, and so does a 409 that counts what it left.
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
    // Drained rather than cut: what is on its way still arrives, instead of after the ack wait.
    if (former && !former.isClosed()) void former.drain().catch(() => undefined);
    if (!client || over()) return;
    const made: Subscription = client.subscribe(createInbox(options.inboxPrefix), {
      callback: (error, message) => receive(made, error, message),
    });
    inbox = made;
    heardAt = performance.now();
    ask();
  };

  return {
    ask,
    renew,
    check(now) {
      if (asked > 0 && now - heardAt > SILENCE_MS) onTrouble("the broker is silent");
      else ask();
    },
    excuse(now) {
      heardAt = now;
    },
    async drain() {
      if (inbox && !inbox.isClosed()) await inbox.drain();
    },
  };
}
