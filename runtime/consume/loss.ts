import type { ConsumerState } from "../broker/broker.js";
import type { Position } from "./subscription.js";

/*
 * Messages that a stream lost before they were delivered here: told from where it stood at the last
 * look, and where it stands now.
 */

export interface Sight {
  readonly position: Position;
  readonly durable: ConsumerState;
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

/** The look with what was delivered since: a stream that has lost it again went back, too. */
export function knowing({ position, durable }: Sight, deliveredSeq: number): Sight {
  return { durable, position: { ...position, lastSeq: Math.max(position.lastSeq, deliveredSeq) } };
}

/** Its tail was lost (an unclean end of its server, a restored backup), or, where only the durable may be asked, a purge. */
export function fellBack({ position: before }: Sight, { position: now }: Sight): boolean {
  return now.lastSeq < before.lastSeq;
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
