import type { ConsumerState as DurableState } from "../broker/broker.js";
import type { Position } from "./stream-epoch.js";

/*
 * Messages that a stream lost before they were delivered here: recognised from where the stream stood at the last poll,
 * and where it stands now. Pure.
 */

export interface StreamObservation {
  readonly position: Position;
  readonly durable: DurableState;
  /** Highest message sequence that had been delivered here before the position was read. */
  readonly deliveredSeq: number;
}

/** What was lost between two polls, for the log and the record; undefined when nothing was. */
export function findLoss(before: StreamObservation | undefined, now: StreamObservation): string | undefined {
  if (before === undefined || before.position.created !== now.position.created) return undefined;
  if (sequenceRegressed(before, now))
    return `the stream ends at ${now.position.lastSeq} and ended at ${before.position.lastSeq} before`;
  return lostUnread(before, now)
    ? `messages before ${now.position.firstSeq} are gone, perhaps before they were delivered`
    : undefined;
}

/**
 * The stream lost its tail (an unclean end of its server, a restored backup), or, where only the durable may be asked, was
 * purged. What was stored and delivered between two polls was never observed as the last message: that it was there is
 * known from the deliveries here, and of another replica's from the durable, where the broker does not reset it.
 */
export function sequenceRegressed(
  { position: before, durable }: StreamObservation,
  { position: now, deliveredSeq }: StreamObservation,
): boolean {
  return now.lastSeq < Math.max(before.lastSeq, durable.lastDelivered ?? 0, deliveredSeq);
}

/**
 * Messages were purged, or evicted by the stream's limits, since the last poll. Where the durable stands now is of no use:
 * the broker moves it past what is gone. So where messages were pending then, or all that is gone was stored later, some
 * may have been unread. If they were read just in time, the false alarm costs one resync that changes nothing.
 */
function lostUnread(
  { position: before, durable }: StreamObservation,
  { position: now }: StreamObservation,
): boolean {
  if (before.firstSeq === undefined || now.firstSeq === undefined) return false;
  if (now.firstSeq <= before.firstSeq || now.firstSeq <= (durable.lastDelivered ?? 0) + 1) return false;
  return durable.pending > 0 || now.firstSeq > before.lastSeq + 1;
}
