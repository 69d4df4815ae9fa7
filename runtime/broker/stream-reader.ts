import { DeliverPolicy, type JsMsg } from "nats";
import type { StoredMessage } from "./broker.js";
import { BROKER_ANSWER_MS, BrokerAway, type ConnectOptions, openConnection } from "./connection.js";
import { headersOf } from "./delivery.js";

/*
 * Reads streams for a person: through an ephemeral consumer without acks, so that it leaves no durable behind and no subscriber notices.
 */

/** What to read of a stream, in its order. */
export interface ReadRange {
  readonly stream: string;
  /** A NATS filter that the stream's subjects cover. Default: all. */
  readonly filter?: string;
  /** Default: its first message. `new`: what is stored from now on. */
  readonly from?: Date | "new";
  /** Leaves bodies out. */
  readonly headersOnly?: boolean;
  /** Goes on with what is stored later, until it is aborted. Default: ends with what is stored now. */
  readonly follow?: AbortSignal;
}

/** Reads the streams of one broker. */
export interface StreamReader {
  /** Rejects where the stream does not exist or may not be read, and, unless it follows, where the next message does not come in time. */
  read(range: ReadRange): AsyncIterable<StoredMessage>;
  close(): Promise<void>;
}

/** Connects as an operator who may read the streams. Rejects with `BrokerAway` where the broker does not answer within `answerMs`. */
export async function openStreamReader(options: ConnectOptions): Promise<StreamReader> {
  const { answerMs = BROKER_ANSWER_MS } = options;
  const connection = openConnection(options);
  const client = await connection.connected(answerMs).catch(async (error: unknown) => {
    await connection.close();
    throw error;
  });
  return {
    async *read({ stream, filter, from, headersOnly = false, follow }) {
      const consumer = await client.jetstream({ timeout: answerMs }).consumers.get(stream, {
        ...(filter === undefined ? {} : { filterSubjects: filter }),
        headers_only: headersOnly,
        ...(from === "new" ? { deliver_policy: DeliverPolicy.New } : {}),
        ...(from instanceof Date
          ? { deliver_policy: DeliverPolicy.StartTime, opt_start_time: from.toISOString() }
          : {}),
      });
      try {
        if (follow === undefined && (await consumer.info()).num_pending === 0) return;
        const messages = await consumer.consume();
        const stop = () => messages.stop();
        follow?.addEventListener("abort", stop, { once: true });
        if (follow?.aborted) stop();
        let isHung = false;
        const giveUp = () => {
          isHung = true;
          stop();
        };
        let timer = follow === undefined ? setTimeout(giveUp, answerMs) : undefined;
        try {
          for await (const message of messages) {
            clearTimeout(timer);
            yield storedOf(message);
            if (follow !== undefined) continue;
            if (message.info.pending === 0) break;
            timer = setTimeout(giveUp, answerMs);
          }
        } finally {
          clearTimeout(timer);
          follow?.removeEventListener("abort", stop);
        }
        if (isHung) throw new BrokerAway(`no message within ${answerMs / 1_000} s`);
      } finally {
        await consumer.delete().catch(() => false);
      }
    },
    close: connection.close,
  };
}

function storedOf(message: JsMsg): StoredMessage {
  return {
    subject: message.subject,
    stream: message.info.stream,
    seq: message.seq,
    time: new Date(message.info.timestampNanos / 1_000_000),
    body: message.data,
    headers: headersOf(() => message.headers),
  };
}
