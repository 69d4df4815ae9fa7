import type { ConsumerState } from "../broker/broker.js";
import type { Position } from "./stream-epoch.js";

/*
 * Messages that a stream lost before they were delivered here: told from where it stood at the last
 * look, and where it stands now.
 */

export interface Sight {
  readonly position: Position;
  readonly durable: ConsumerState;
  /** Highest message sequence that was delivered here; known before the position was read. */
  readonly delivered: number;
}

/** What was lost between two looks, for the log and the record; undefined when nothing was. */
export function findLoss(before: Sight | undefined, now: Sight): string | undefined {
  if (before === undefined || before.position.created !== now.position.created) return undefined;
  if (fellBack(before, now))
    return `the stream ends at ${now.position.lastSeq} and ended at ${before.position.lastSeq} before`;
  return lostUnread(before, now)
    ? `messages before ${now.position.firstSeq} are gone, perhaps before they were delivered`
    : undefined;
}

/**
 * Its tail was lost (an unclean end of its server, a restored backup), or, where only the durable may be asked, a purge.
 * What was stored and delivered between the looks was never seen as the last, and may be lost all the same: here, or to
 * another replica, which the durable knows of where its broker does not put it back.
 */
export function fellBack({ position: before, durable }: Sight, { position: now, delivered }: Sight): boolean {
  return now.lastSeq < Math.max(before.lastSeq, durable.lastDelivered ?? 0, delivered);
}

/**
 * Purged, or evicted by its limits, since the last look. What the durable says of its position now is of
 * no use: the broker moves it past what is gone. So where some were waiting then, or all that is gone came
 * later, some may have been unread; that they were read just in time costs a snapshot that finds nothing.
 */
function lostUnread({ position: before, durable }: Sight, { position: now }: Sight): boolean {
  if (before.firstSeq === undefined || now.firstSeq === undefined) return false;
  if (now.firstSeq <= before.firstSeq || now.firstSeq <= (durable.lastDelivered ?? 0) + 1) return false;
  return durable.pending > 0 || now.firstSeq > before.lastSeq + 1;
}
