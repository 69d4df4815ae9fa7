import type { ConsumerInfo, JetStreamManager } from "nats";
import type { Logger } from "../definition/hook-definition.js";
import { pause } from "../pause.js";
import { DurablePastEnd } from "./broker.js";
import { isConsumerMissing, isDenied } from "./broker-errors.js";
import { readStream } from "./streams.js";

/*
 * A durable past the end of its stream: the broker has lost the newest messages, and not the durable's state. A broker from
 * 2.14 on resets the durable when it starts (nats-server#7692). An older one skips whatever is stored until the stream has
 * reached the durable again, and its ack floor says that those messages are settled.
 */

/** In a cluster the node that answers for the stream may lag behind the one that delivers, by less than this. */
const CLUSTER_LAG_MS = 500;

/**
 * The last sequence of the stream, where it is below what the durable has delivered. Undefined where it is not, and where this user
 * may not ask about the stream.
 */
export async function endIfPassed(
  manager: JetStreamManager,
  { stream_name: stream, delivered }: ConsumerInfo,
): Promise<number | undefined> {
  const end = async () => (await readStream(manager, stream))?.state.last_seq ?? Number.POSITIVE_INFINITY;
  if ((await end()) >= delivered.stream_seq) return undefined;
  await pause(CLUSTER_LAG_MS);
  const last = await end();
  return last < delivered.stream_seq ? last : undefined;
}

/**
 * Deletes the durable, so that it can be created again from the beginning: the order guard knows the messages that are
 * redelivered. Rejects with `DurablePastEnd` where this user may not delete it.
 */
export async function removePastEnd(
  manager: JetStreamManager,
  { stream_name: stream, name: durable }: ConsumerInfo,
  { end, logger }: { readonly end: number; readonly logger: Logger },
): Promise<void> {
  let at = 0;
  try {
    // Another replica may have created it again meanwhile.
    at = (await manager.consumers.info(stream, durable)).delivered.stream_seq;
    if (at <= end) return;
    await manager.consumers.delete(stream, durable);
    logger.warn(
      { stream, durable, delivered: at, end },
      "durable was past the end of its stream and is created again",
    );
  } catch (cause) {
    if (isConsumerMissing(cause)) return;
    if (!isDenied(cause)) throw cause;
    throw new DurablePastEnd(
      `durable ${durable} stands at ${at} and stream ${stream}, which lost its newest messages, ends at ` +
        `${end}: this broker delivers nothing until then, and this user may not delete the durable: ` +
        "let a provisioner make it anew",
      { cause },
    );
  }
}
