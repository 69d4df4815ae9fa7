import { nearlyOverrun } from "@meshwright/runtime/monitor-thresholds";
import type { Consumer, Service } from "../../model/mesh.js";
import { retrySeconds } from "../../model/retry-seconds.js";
import type { Lookup } from "../lookup.js";

/*
 * How late and how full a mesh may be before somebody should look: from what mesh.yaml says of deliveries, streams and copies, or
 * its defaults. Alerts, dashboard and the broker's own thresholds all go by these.
 */

/** Of one subscription. Undefined: there is no such limit. */
export interface Tolerance {
  /** An event that fails is a dead letter, and one whose process dies is delivered again, within this time: later means that something is stuck. */
  readonly lateSeconds: number;
  /** Half of the time in which its stream keeps a message, or its deletions are remembered if that is shorter. */
  readonly evictedSeconds: number | undefined;
  /** Half of the messages that its stream keeps. */
  readonly evictedMessages: number | undefined;
  /** Twice the time between two snapshots of its copy. */
  readonly snapshotSeconds: number | undefined;
}

/** An event leaves its outbox in milliseconds; under a broker's restart in seconds. */
export const OUTBOX_SECONDS = 60;
/** An event at a time is published within seconds of it. */
export const MOMENT_SECONDS = 60;

export function toleranceOf(service: Service, consumer: Consumer, lookup: Lookup): Tolerance {
  const stream = lookup.stream(consumer.stream);
  // Of an external owner's stream the file may say no limits.
  const kept = stream.external && stream.described === undefined ? undefined : stream;
  const remembered = [kept?.maxAgeSeconds ?? 0, kept?.tombstoneSeconds ?? 0].filter((seconds) => seconds > 0);
  const every = snapshotEvery(service, consumer, lookup);
  return {
    // One ack wait, and every back-off between its attempts.
    lateSeconds: Math.ceil(consumer.delivery.ackWaitSeconds + retrySeconds(consumer.delivery)),
    evictedSeconds: remembered.length === 0 ? undefined : Math.min(...remembered) / 2,
    evictedMessages: kept && nearlyOverrun(kept.maxMessages),
    snapshotSeconds: every === undefined || every === 0 ? undefined : every * 2,
  };
}

function snapshotEvery(service: Service, { cache, source }: Consumer, lookup: Lookup): number | undefined {
  return cache === undefined ? source?.everySeconds : lookup.table(service, cache).cache?.sync?.everySeconds;
}
