import type { ConsumerState } from "../broker/broker.js";
import type { Position } from "./subscription.js";

/*
 * A stream may lose what its durable was never given: purged, evicted by its limits while the consumer was
 * behind, or acknowledged by a broker that died before its disk had it. Nothing says so. It shows where two
 * looks at stream and durable are compared, and then only the source knows what was in it.
 */

export interface LossWatch {
  /**
   * What was lost since the look before; undefined when nothing shows. `applied` is the highest sequence that this
   * process has applied; it was read before the position, and the position before the state.
   */
  compare(position: Position, state: ConsumerState, applied: number): "shortened" | "evicted" | undefined;
}

/**
 * What was delivered since the look before does not count: a purge moves the durable's place on as if it had been.
 * So messages that were delivered and evicted between two looks are taken for lost; that costs a snapshot.
 */
export function createLossWatch(): LossWatch {
  let created: string | undefined;
  let last = 0;
  /** Up to here every message was delivered, or is not of this durable, or is known as lost. */
  let covered = 0;
  return {
    compare({ created: now, firstSeq = 1, lastSeq }, { lastDelivered = 0, pending }, applied) {
      // The snapshot of the start covers what was lost before.
      const known = now === created;
      // What was stored and applied since the look before was never seen as the last, and may be lost all the same.
      const shortened = lastSeq < applied || (known && lastSeq < last);
      const evicted = known && firstSeq > covered + 1;
      created = now;
      last = lastSeq;
      const former = known && !shortened ? covered : 0;
      covered = Math.max(former, lastDelivered, firstSeq - 1, pending === 0 ? lastSeq : 0);
      if (shortened) return "shortened";
      return evicted ? "evicted" : undefined;
    },
  };
}
