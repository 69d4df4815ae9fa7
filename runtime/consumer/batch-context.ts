import type { Delivery } from "../broker/broker.js";
import type { Mutex } from "../database/mutex.js";
import type { RetryContext } from "../database/retry.js";
import type { ApplyContext } from "../inbox/apply.js";
import type { Addressed, Incoming, Parsed } from "../inbox/parse.js";
import { destinationOf, type Processed } from "../telemetry/spans.js";
import type { VersionGapWaits } from "./version-gap.js";

/*
 * What the parts share that settle a batch.
 */

export interface Received {
  readonly delivery: Delivery;
  /** Effective sequence. */
  readonly seq: number;
  /** Undefined where it was delivered suspiciously often: reading it may be what ends the process, so that is counted first. */
  readonly parsed: Parsed | undefined;
}

/** A message that is an event. */
export interface Due {
  readonly delivery: Delivery;
  readonly event: Incoming;
}

/** A message that is read once an attempt at it is on record. */
export interface Unread {
  readonly delivery: Delivery;
  readonly event: Addressed;
  readonly read: () => Parsed;
}

export function isUnread(one: Due | Unread): one is Unread {
  return "read" in one;
}

/** Counted since the consumer started. */
export interface Tally {
  applied: number;
  stale: number;
  deadLetters: number;
  /** Commit of the newest event among them, as its owner says it, in unix seconds. */
  lastEventAt?: number;
}

export interface BatchContext extends ApplyContext, RetryContext {
  readonly tally: Tally;
  /** The process's mutex for batches and chunks of snapshots: both lock many rows of the same tables. */
  readonly exclusively: Mutex;
  /** Cascade tasks were written, and are committed. */
  readonly onTasks: () => void;
  /** An event was applied with unique conflicts settled: a row may have been left with a placeholder value. */
  readonly onPlaceholder: () => void;
  /**
   * Ids of entities with an event that this process deferred, and until when in ms since 1970: pending retries may have
   * been read before that.
   */
  readonly deferredUntil: Map<string, number>;
  /** Undefined: no event waits for earlier versions. */
  readonly versionGaps?: VersionGapWaits | undefined;
}

/** While one batch is settled. */
export interface SettleContext extends BatchContext {
  /** Ids of entities with an event that was deferred, and until when: their later events wait behind it. */
  readonly blocked: Map<string, number>;
}

/** As many deliveries as it takes a process to end on one, twice: from then on each attempt is recorded before it is made. */
const SUSPICIOUS_DELIVERIES = 3;

/** It may be what ends the process. Deliveries that were deferred for a version gap do not count. */
export function isSuspicious(
  { versionGaps }: Pick<BatchContext, "versionGaps">,
  { deliveries }: Delivery,
  seq: number,
): boolean {
  if (deliveries < SUSPICIOUS_DELIVERIES) return false;
  return deliveries - (versionGaps?.timesDeferred(seq) ?? 0) >= SUSPICIOUS_DELIVERIES;
}

/** Events wait for earlier versions of their entity. */
export function waitsForVersions({ model, versionGaps }: BatchContext): boolean {
  return model.orderMatters && versionGaps !== undefined;
}

/** What the span tells in which events are applied. */
export function spanOf({ model }: Pick<BatchContext, "model">, due: readonly Due[]): Processed {
  const { durable, stream } = model.definition;
  return { durable, stream: stream.name, destination: destinationOf(model.definition), due };
}
