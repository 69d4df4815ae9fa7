import { ageInSeconds } from "../age.js";
import type { Broker, ConsumerState } from "../broker/broker.js";

/**
 * Age in seconds of the oldest event of a subscription that is not applied: what its copy is behind. Null where none waits. It asks for
 * the next message of the filter above the durable's ack floor, so it needs to read the stream, which a service may not: that goes by
 * the oldest message that it was given (`lagOf`).
 */
export async function readLagSeconds(
  broker: Broker,
  { stream, filter }: { readonly stream: string; readonly filter: string },
  { pending, ackPending, ackFloor = 0 }: ConsumerState,
): Promise<number | null> {
  if (pending + ackPending === 0) return null;
  const oldest = await broker.storedMessage(stream, { after: ackFloor, filter });
  return oldest === undefined ? null : ageInSeconds(oldest.time);
}
