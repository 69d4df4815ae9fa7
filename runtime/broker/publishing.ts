import { createInbox, headers, type Msg, type MsgHdrs, type NatsConnection, type Subscription } from "nats";
import {
  type OnSettled,
  type OutgoingMessage,
  type PublishAck,
  PublishFailed,
  refuseUnpublishable,
} from "./broker.js";
import { publishRefused, quotedAsByBroker, sendFailed } from "./broker-errors.js";
import type { Connection } from "./connection.js";

const ACK_TIMEOUT_MS = 5_000;
const EXPIRY_CHECK_MS = 500;

interface Pending {
  readonly subject: string;
  readonly deadline: number;
  readonly onSettled: OnSettled;
}

export interface Publishing {
  send(message: OutgoingMessage, onSettled: OnSettled): void;
  close(): void;
}

/**
 * Publishes and takes the acks over one inbox of its own. The client's own publish makes a timer and a random token per
 * message, which cost more than the message where thousands are in flight.
 */
export function createPublishing(connection: Connection, inboxPrefix: string): Publishing {
  const pending = new Map<string, Pending>();
  let inbox = "";
  let counter = 0;
  let inboxOf: NatsConnection | undefined;
  let subscription: Subscription | undefined;
  let expiryCheck: NodeJS.Timeout | undefined;

  const take = (token: string): Pending | undefined => {
    const waiting = pending.get(token);
    pending.delete(token);
    return waiting;
  };
  const receive = (error: Error | null, message: Msg) => {
    if (error) return failAll(`the broker refuses our inbox: ${error.message}`);
    const waiting = take(message.subject.slice(inbox.length));
    if (!waiting) return;
    waiting.onSettled(readAck(message));
  };
  const failAll = (reason: string) => {
    const all = [...pending.values()];
    pending.clear();
    for (const { onSettled } of all) onSettled(new PublishFailed(reason, "broker"));
  };
  const attach = (client: NatsConnection) => {
    if (inboxOf === client) return;
    inbox = `${createInbox(inboxPrefix)}.`;
    subscription = client.subscribe(`${inbox}*`, { callback: receive });
    inboxOf = client;
  };
  /**
   * Fails what had no ack in time; entries are in the order of their deadlines. Runs after the sockets were read: when
   * this process was frozen, the acks are waiting there.
   */
  const expire = () => {
    const now = performance.now();
    for (const [token, { deadline, onSettled }] of pending) {
      if (deadline > now) break;
      pending.delete(token);
      onSettled(new PublishFailed(`no ack within ${ACK_TIMEOUT_MS} ms`, "broker"));
    }
    expiryCheck = pending.size === 0 ? undefined : setTimeout(() => setImmediate(expire), EXPIRY_CHECK_MS);
  };

  const stopStatus = connection.onStatus((status) => {
    // A message on its way may have been stored or not; the id of a second publish tells.
    if (status.kind === "disconnected") failAll("the connection to the broker was lost before the ack");
  });
  const stopDenied = connection.onDenied((subject) => {
    for (const [token, waiting] of pending) {
      if (quotedAsByBroker(waiting.subject) !== subject) continue;
      pending.delete(token);
      waiting.onSettled(new PublishFailed(`the broker's permissions do not allow "${subject}"`, "message"));
    }
  });

  return {
    send(message, onSettled) {
      const client = connection.client();
      if (!client) return onSettled(new PublishFailed("the broker is not connected", "broker"));
      const refusal = refuseUnpublishable(message);
      if (refusal) return onSettled(refusal);
      counter += 1;
      const token = counter.toString(36);
      try {
        attach(client);
        const reply = inbox + token;
        client.publish(message.subject, message.body, { reply, headers: headersOf(message) });
      } catch (cause) {
        return onSettled(sendFailed(cause));
      }
      pending.set(token, {
        subject: message.subject,
        deadline: performance.now() + ACK_TIMEOUT_MS,
        onSettled,
      });
      expiryCheck ??= setTimeout(() => setImmediate(expire), EXPIRY_CHECK_MS);
    },
    close() {
      stopStatus();
      stopDenied();
      clearTimeout(expiryCheck);
      subscription?.unsubscribe();
      failAll("the connection to the broker was closed before the ack");
    },
  };
}

/** What the client's headers let through as it is. */
const PLAIN_ID = /^[!-~]+$/;

/** The client does nothing with headers but encode them, and takes nine times as long to make the same bytes; any other use of these fails. */
function headersOf({ id, headers: extra }: OutgoingMessage): MsgHdrs {
  if (extra === undefined && PLAIN_ID.test(id)) {
    const text = `NATS/1.0\r\nNats-Msg-Id: ${id}\r\n\r\n`;
    return { encode: () => Buffer.from(text, "latin1") } as unknown as MsgHdrs;
  }
  const all = headers();
  all.append("Nats-Msg-Id", id);
  if (extra) for (const name of Object.keys(extra)) all.set(name, extra[name] ?? "");
  return all;
}

interface AckBody {
  readonly stream?: string;
  readonly seq?: number;
  readonly duplicate?: boolean;
  readonly error?: { readonly code: number; readonly err_code?: number; readonly description?: string };
}

function readAck(message: Msg): PublishAck | PublishFailed {
  if (message.data.length === 0) {
    return new PublishFailed("no stream takes this subject, or JetStream is not ready", "broker");
  }
  let ack: AckBody;
  try {
    ack = message.json<AckBody>();
  } catch (cause) {
    return new PublishFailed("the answer to a publish is not an ack", "broker", { cause });
  }
  if (ack.error) return publishRefused(ack.error);
  if (!ack.stream || ack.seq === undefined) {
    return new PublishFailed("the answer to a publish is not an ack", "broker");
  }
  return { stream: ack.stream, seq: ack.seq, duplicate: ack.duplicate === true };
}
