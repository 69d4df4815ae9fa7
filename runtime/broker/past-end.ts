import type { ConsumerInfo, JetStreamManager } from "nats";
import type { Logger } from "../definition.js";
import { pause } from "../pause.js";
import { DurableAhead } from "./broker.js";
import { isConsumerMissing, isDenied } from "./broker-errors.js";
import { readStream } from "./streams.js";

/*
 * A durable that stands beyond the end of its stream: the broker lost the newest messages, and not what it knew
 * of the durable. From 2.14 on the broker puts it back when it starts (nats-server#7692). Older ones pass over whatever is
 * stored until the stream has reached it again, and keep an ack floor that says of those messages that they are settled.
 */

/** In a cluster the one who answers for the stream may be behind the one who delivers, by less than this. */
const LOOK_AGAIN_MS = 500;

/** The stream's last sequence where that is below what was delivered of it. Undefined also to who may not ask about the stream. */
export async function endBefore(
  manager: JetStreamManager,
  { stream_name: stream, delivered }: ConsumerInfo,
): Promise<number | undefined> {
  const end = async () => (await readStream(manager, stream))?.state.last_seq ?? Number.POSITIVE_INFINITY;
  if ((await end()) >= delivered.stream_seq) return undefined;
  await pause(LOOK_AGAIN_MS);
  const last = await end();
  return last < delivered.stream_seq ? last : undefined;
}

/**
 * So that it can be made anew, from the beginning: what comes again is known to the order guard. Rejects with
 * `DurableAhead` where this user may not.
 */
export async function removeAhead(
  manager: JetStreamManager,
  { stream_name: stream, name: durable }: ConsumerInfo,
  { end, logger }: { readonly end: number; readonly logger: Logger },
): Promise<void> {
  let at = 0;
  try {
    // Another replica may have made it anew since it was looked at.
    at = (await manager.consumers.info(stream, durable)).delivered.stream_seq;
    if (at <= end) return;
    await manager.consumers.delete(stream, durable);
    logger.warn({ stream, durable, delivered: at, end }, "durable was ahead of its stream and is made anew");
  } catch (cause) {
    if (isConsumerMissing(cause)) return;
    if (!isDenied(cause)) throw cause;
    throw new DurableAhead(
      `durable ${durable} stands at ${at} and stream ${stream}, which lost its newest messages, ends at ` +
        `${end}: this broker delivers nothing until then, and this user may not delete the durable: ` +
        "let a provisioner make it anew",
      { cause },
    );
  }
}
