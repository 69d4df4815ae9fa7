import { ageInSeconds } from "../age.js";
import type { ConsumerState } from "../broker/broker.js";
import type { Settlement } from "../consumer/dead-letters.js";
import type { SubscriberTrace, TracedLetter, TracedRetry } from "./trace-subscriber.js";

/*
 * What has become of one event at one subscriber, by what its database and the broker know. Pure.
 */

/** A message of an entity, as its stream holds it. */
export interface TracedEvent {
  readonly stream: string;
  readonly seq: number;
  readonly subject: string;
  /** When the stream stored it, ISO 8601. */
  readonly at: string;
  readonly eventId: string | null;
  readonly version: number | null;
  readonly causationId: string | null;
  readonly correlationId: string | null;
}

/** What has become of an event at one subscriber. */
export type Standing =
  /** It had its effect, or a newer event of its entity had. `version`: where the entity stands there. */
  | { readonly kind: "applied"; readonly version: number | null; readonly deleted: boolean }
  /** The row came by a snapshot, no event of it was applied. */
  | { readonly kind: "snapshot"; readonly at: string | null; readonly deleted: boolean }
  | { readonly kind: "retrying"; readonly retry: TracedRetry }
  /** An earlier event of the entity is retried; this one waits for it. */
  | { readonly kind: "behind"; readonly retry: TracedRetry }
  | { readonly kind: "dead"; readonly letter: TracedLetter }
  /** An operator let it go, and nothing newer of its entity was applied. */
  | { readonly kind: "discarded"; readonly settled: Settlement }
  /** `before`: messages of the durable that are not settled. `ageSeconds`: since the stream stored it. */
  | { readonly kind: "waiting"; readonly before: number; readonly ageSeconds: number }
  /** The broker holds it for settled, and nothing of it is known there. */
  | { readonly kind: "passed over" }
  /** Its consumer has never run. */
  | { readonly kind: "not started" }
  /** The event that was asked for is none of those that it hears. */
  | { readonly kind: "not heard" }
  /** Nothing of the entity was published, nor read from a snapshot. */
  | { readonly kind: "nothing" }
  /** The broker did not answer, so what waits there is not known. */
  | { readonly kind: "unknown" };

/** What a subscriber's standing is judged by, beside its own database. */
export interface StandingFacts {
  /** Undefined: the stream holds no event of the entity. */
  readonly event: TracedEvent | undefined;
  /** Of all events of the entity that the stream holds. */
  readonly seqs: readonly number[];
  /** Undefined: the broker was not asked, or does not know the durable. */
  readonly durable: ConsumerState | undefined;
}

/** The first that holds, from what a person must act on to what ends by itself. */
export function standingOf(trace: SubscriberTrace, { event, seqs, durable }: StandingFacts): Standing {
  const { subscription, state, retries, letters } = trace;
  const offset = subscription?.offset ?? 0;
  if (event === undefined) {
    if (state === null || (state.version === null && state.seq === null)) return { kind: "nothing" };
    return stateStanding(trace, []);
  }
  const seq = event.seq + offset;
  const letter = letters.find((one) => one.seq === seq && one.settled === null);
  if (letter !== undefined) return { kind: "dead", letter };
  const retry = retries.find((one) => one.seq === seq);
  if (retry !== undefined) return { kind: "retrying", retry };
  if (isApplied(state, event, seq))
    return stateStanding(
      trace,
      seqs.map((each) => each + offset),
    );
  const settled = letters.find((one) => one.seq === seq)?.settled;
  if (settled?.as === "discarded") return { kind: "discarded", settled };
  const earlier = retries.find((one) => one.seq < seq);
  if (earlier !== undefined) return { kind: "behind", retry: earlier };
  if (subscription === null) return { kind: "not started" };
  if (durable === undefined) return { kind: "unknown" };
  if ((durable.ackFloor ?? 0) >= event.seq) return { kind: "passed over" };
  return {
    kind: "waiting",
    before: durable.pending + durable.ackPending,
    ageSeconds: ageInSeconds(new Date(event.at)),
  };
}

function isApplied(state: SubscriberTrace["state"], event: TracedEvent, seq: number): boolean {
  if (state === null) return false;
  if (state.versioned && state.version !== null && event.version !== null)
    return state.version >= event.version;
  return (state.seq ?? 0) >= seq;
}

/** A row of a snapshot has the sequence that the stream had then, which is none of the entity's own but by chance. */
function stateStanding({ state, subscription }: SubscriberTrace, seqs: readonly number[]): Standing {
  const { version = null, deleted = false, seq = null } = state ?? {};
  const isOfSnapshot = seq === null || (seq === subscription?.snapshotSeq && !seqs.includes(seq));
  return isOfSnapshot
    ? { kind: "snapshot", at: subscription?.snapshotAt ?? null, deleted }
    : { kind: "applied", version, deleted };
}
