import type { Known } from "./consumer-state.js";
import { findLoss, type StreamObservation, sequenceRegressed } from "./message-loss.js";

/*
 * What a poll of the monitor means. Pure: `assess` compares what was seen with what is known, and gives findings;
 * `reactions.ts` acts on them.
 */

export interface Poll {
  /** Ms since 1970. */
  readonly now: number;
  /** Events of this durable that failed and are due again. */
  readonly pendingRetries: number;
  /** Replicas of another release of this service are at work. */
  readonly otherRelease: boolean;
  /** What the broker said, with what was known when it was asked; undefined where it was not asked. */
  readonly broker: BrokerPoll | undefined;
  /** Stream and source can be asked: the consumer has attached once, and the broker is connected. */
  readonly reachable: boolean;
}

export interface BrokerPoll {
  readonly known: Known;
  readonly seen: StreamObservation | "gone";
  /** Tells a broker from another one, and from itself before a restart; undefined where that is not known. */
  readonly instance: string | undefined;
}

export type MonitorFinding =
  | { readonly kind: "retries-counted"; readonly pending: number }
  | { readonly kind: "other-release-ended" }
  | { readonly kind: "durable-gone" }
  | { readonly kind: "durable-recreated" }
  | { readonly kind: "messages-lost"; readonly loss: string }
  /** The stream ends before messages that were delivered: its sequences need another offset before anything else is done. */
  | { readonly kind: "sequence-regressed"; readonly loss: string }
  /** `observation` is undefined where the former one is still to be compared with. */
  | {
      readonly kind: "observed";
      readonly seen: StreamObservation;
      readonly observation: StreamObservation | undefined;
    }
  | { readonly kind: "broker-changed" }
  /** Nothing is pending and nothing is in flight. */
  | { readonly kind: "drained" }
  /** Nothing speaks against a periodic snapshot. */
  | { readonly kind: "checked" };

/** What the monitor remembers from poll to poll. */
export interface Memory {
  readonly otherRelease: boolean;
  readonly brokerInstance: string | undefined;
  /** When the broker was last found changed, and messages were last found lost, in ms since 1970; 0 for never. */
  readonly brokerChangedAt: number;
  readonly lostAt: number;
}

export const NO_MEMORY: Memory = {
  otherRelease: false,
  brokerInstance: undefined,
  brokerChangedAt: 0,
  lostAt: 0,
};

/** A stream that evicts faster than its consumer reads loses messages all the time: one finding per minute. */
const LOSS_EVERY_MS = 60_000;
const BROKER_CHANGE_EVERY_MS = 20_000;

export interface Assessment {
  /** In the order in which they are to be acted on. */
  readonly findings: readonly MonitorFinding[];
  /** For the next poll, once all findings were acted on. */
  readonly memory: Memory;
}

export function assess(memory: Memory, poll: Poll): Assessment {
  const findings: MonitorFinding[] = [{ kind: "retries-counted", pending: poll.pendingRetries }];
  // An older release leaves out columns that it does not know: while both run, rows of the cache may go stale.
  if (memory.otherRelease && !poll.otherRelease) findings.push({ kind: "other-release-ended" });
  const next = { ...memory, otherRelease: poll.otherRelease };
  if (poll.broker === undefined) {
    if (poll.reachable) findings.push({ kind: "checked" });
    return { findings, memory: next };
  }
  const { known, seen, instance } = poll.broker;
  if (seen === "gone" || seen.position.created !== known.epoch.streamCreated)
    return { findings: [...findings, { kind: "durable-gone" }], memory: next };
  if (known.durable !== undefined && known.durable.created !== seen.durable.created)
    findings.push({ kind: "durable-recreated" });
  const loss = findLoss(known.observation, seen);
  if (loss !== undefined && known.observation !== undefined && sequenceRegressed(known.observation, seen))
    return {
      findings: [...findings, { kind: "sequence-regressed", loss }],
      memory: { ...next, lostAt: poll.now },
    };
  const isTooSoon = loss !== undefined && poll.now - memory.lostAt < LOSS_EVERY_MS;
  if (loss !== undefined && !isTooSoon) findings.push({ kind: "messages-lost", loss });
  findings.push({ kind: "observed", seen, observation: isTooSoon ? undefined : seen });
  const broker = assessBroker(memory, instance, poll.now);
  if (broker.changed) findings.push({ kind: "broker-changed" });
  if (seen.durable.pending === 0 && seen.durable.ackPending === 0) findings.push({ kind: "drained" });
  findings.push({ kind: "checked" });
  const lostAt = loss === undefined || isTooSoon ? memory.lostAt : poll.now;
  return { findings, memory: { ...next, ...broker.memory, lostAt } };
}

/**
 * A broker whose machine went down may have lost the newest messages that it had acknowledged: by default it syncs to
 * disk every two minutes. The next messages get their sequences, which a durable may have passed already; once as many are
 * stored again, nothing of that shows. So a restarted broker, or another node of a cluster, is reason enough to ask the
 * source.
 */
function assessBroker(memory: Memory, instance: string | undefined, now: number) {
  const { brokerInstance, brokerChangedAt } = memory;
  const same = { changed: false, memory: { brokerInstance, brokerChangedAt } };
  if (instance === undefined || instance === brokerInstance) return same;
  if (brokerInstance === undefined)
    return { changed: false, memory: { brokerInstance: instance, brokerChangedAt } };
  if (now - brokerChangedAt < BROKER_CHANGE_EVERY_MS) return same;
  return { changed: true, memory: { brokerInstance: instance, brokerChangedAt: now } };
}
