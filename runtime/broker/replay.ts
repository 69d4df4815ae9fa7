import type { JetStreamManager } from "nats";
import { matches } from "../subject.js";
import type { StoredMessage, StoredPlace } from "./broker.js";
import { isMessageMissing } from "./broker-errors.js";
import { headersOf } from "./delivery.js";

/** Requests in flight at a time. */
const WINDOW = 64;

/**
 * Reads stored messages by sequence, a window of requests at a time. It creates no consumer, so it leaves nothing behind, and needs
 * two permissions only: `$JS.API.STREAM.INFO.<stream>` and `$JS.API.STREAM.MSG.GET.<stream>`.
 */
export async function* replayStream(
  manager: JetStreamManager,
  range: { readonly stream: string; readonly filter: string; readonly from: number; readonly to: number },
): AsyncIterable<StoredMessage> {
  const { stream, filter, from, to } = range;
  const window: Promise<StoredMessage | undefined>[] = [];
  let asked = from;
  try {
    for (let seq = from; seq <= to; seq += 1) {
      while (asked <= to && window.length < WINDOW) {
        const reading = readMessage(manager, stream, { seq: asked });
        // Awaited in its turn; until then a failure must not count as unhandled.
        reading.catch(() => undefined);
        window.push(reading);
        asked += 1;
      }
      const message = await window.shift();
      if (message && matches(filter, message.subject)) yield message;
    }
  } finally {
    await Promise.allSettled(window);
  }
}

/** Undefined where the stream has no such message, or no longer. */
export async function readMessage(
  manager: JetStreamManager,
  stream: string,
  at: StoredPlace,
): Promise<StoredMessage | undefined> {
  try {
    const message = await manager.streams.getMessage(stream, queryOf(at));
    const { subject, data, time, seq } = message;
    return { subject, stream, seq, time, body: data, headers: headersOf(() => message.header) };
  } catch (error) {
    if (isMessageMissing(error)) return undefined;
    throw error;
  }
}

function queryOf(at: StoredPlace) {
  if ("seq" in at) return { seq: at.seq };
  // The client knows no name for the last one; nats-server 2.9 does.
  return "last" in at ? { last_by_subj: at.last } : { seq: at.after + 1, next_by_subj: at.filter };
}

/** False where the stream has no such message. */
export async function deleteMessage(
  manager: JetStreamManager,
  stream: string,
  seq: number,
): Promise<boolean> {
  try {
    return await manager.streams.deleteMessage(stream, seq, false);
  } catch (error) {
    if (isMessageMissing(error)) return false;
    throw error;
  }
}
