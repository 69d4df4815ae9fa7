import type { ConsumerState as DurableState } from "../broker/broker.js";
import type { StreamObservation } from "./message-loss.js";
import type { Epoch } from "./stream-epoch.js";

/*
 * The state machine of a consumer: one state at a time, one pure function per transition, named on the arrows. What follows on
 * a transition stands in `attaching.ts` and `reactions.ts`.
 *
 *      starting ──────────────┐
 *         │ passedEnd         │ attached
 *         ▼                   ▼
 *      past-end ─attached─► consuming ─leave─► leaving          from every state: stopped
 *         ▲                   │   ▲               │
 *         │ passedEnd         │   │ attached      │             within consuming: observed, applied
 *         │          detached ▼   │               │             within leaving: applied
 *         └──────────────── detached ◄─detached───┘
 *
 *   starting    Never attached: stream, durable or database have not been reached yet.
 *   consuming   The durable exists and messages are taken.
 *   leaving     The durable or its stream is gone, or the stream's sequences regressed: the batch in hand is the last one.
 *   detached    Attaches again, with back-off.
 *   past-end    The durable stands beyond the end of its stream and delivers nothing; only somebody else may mend it.
 *   stopped     Told to stop, and the batch in hand is settled.
 */

/** What a consumer knows of its stream and durable; kept while it attaches again. */
export interface Known {
  readonly epoch: Epoch;
  /** As of the last attachment or poll; undefined before the first. */
  readonly durable: DurableState | undefined;
  /** What the last poll saw; undefined before the first, and after messages may have been lost. */
  readonly observation: StreamObservation | undefined;
  /** Highest message sequence delivered here from the stream as it is now; 0 before the first. */
  readonly deliveredSeq: number;
  /** Highest effective sequence that was settled here; 0 before the first. */
  readonly settledSeq: number;
}

interface Attached {
  readonly known: Known;
  /** When the last batch was settled, or else when the consumer attached, in ms since 1970. */
  readonly progressAt: number;
}

export type ConsumerState =
  | { readonly kind: "starting" }
  | ({ readonly kind: "consuming" } & Attached)
  | ({ readonly kind: "leaving"; readonly reason: LeaveReason } & Attached)
  | {
      readonly kind: "detached";
      readonly known: Known;
      /** Messages may have been lost, or passed over by the durable: the source has to be asked. */
      readonly mayMissMessages: boolean;
    }
  | { readonly kind: "past-end"; readonly known: Known }
  | { readonly kind: "stopped"; readonly known: Known | undefined };

export type LeaveReason = "durable-gone" | "sequence-regressed";

export const LEAVE_TEXT: Readonly<Record<LeaveReason, string>> = {
  "durable-gone": "its durable or its stream was deleted",
  "sequence-regressed": "its stream lost messages",
};

export const STARTING: ConsumerState = { kind: "starting" };

export function knownOf(state: ConsumerState): Known | undefined {
  return state.kind === "starting" ? undefined : state.known;
}

/** Messages are being taken, if only the last batch. */
export function isAttached(
  state: ConsumerState,
): state is Extract<ConsumerState, { kind: "consuming" | "leaving" }> {
  return state.kind === "consuming" || state.kind === "leaving";
}

/** Attaching now, the consumer must assume that it lacks messages. */
export function mayMissMessages(state: ConsumerState): boolean {
  switch (state.kind) {
    case "detached":
      return state.mayMissMessages;
    case "past-end":
    case "leaving":
      return true;
    case "starting":
    case "consuming":
    case "stopped":
      return false;
    default:
      return state satisfies never;
  }
}

export interface Attachment {
  readonly epoch: Epoch;
  readonly durable: DurableState;
  readonly now: number;
}

export function attached(state: ConsumerState, { epoch, durable, now }: Attachment): ConsumerState {
  const known = knownOf(state);
  const missesMessages = mayMissMessages(state);
  return {
    kind: "consuming",
    known: {
      epoch,
      durable,
      // An observation of the stream before messages were lost cannot be compared with it as it is now.
      observation: missesMessages ? undefined : known?.observation,
      deliveredSeq: missesMessages || epoch.begun ? 0 : (known?.deliveredSeq ?? 0),
      settledSeq: known?.settledSeq ?? 0,
    },
    progressAt: now,
  };
}

/** The broker refused to attach: the durable is past the end of its stream. Without an epoch, old or new, nothing is known. */
export function passedEnd(state: ConsumerState, epoch: Epoch | undefined): ConsumerState {
  const known = knownOf(state);
  const latest = epoch ?? known?.epoch;
  if (latest === undefined || state.kind === "stopped") return state;
  return { kind: "past-end", known: { ...(known ?? NOTHING_YET), epoch: latest } };
}

const NOTHING_YET = { durable: undefined, observation: undefined, deliveredSeq: 0, settledSeq: 0 };

/** A poll found what the consumer is attached to gone. One that looked before the consumer detached counts all the same. */
export function leave(state: ConsumerState, reason: LeaveReason): ConsumerState {
  switch (state.kind) {
    case "consuming":
      return { ...state, kind: "leaving", reason };
    case "detached":
      return { ...state, mayMissMessages: true };
    case "starting":
    case "leaving":
    case "past-end":
    case "stopped":
      return state;
    default:
      return state satisfies never;
  }
}

/** Receiving has ended, or attaching has failed. */
export function detached(state: ConsumerState): ConsumerState {
  switch (state.kind) {
    case "consuming":
    case "leaving":
      return { kind: "detached", known: state.known, mayMissMessages: mayMissMessages(state) };
    case "starting":
    case "detached":
    case "past-end":
    case "stopped":
      return state;
    default:
      return state satisfies never;
  }
}

/** What a poll saw of the durable; of the stream too, unless the former observation is still to be compared with. */
export function observed(
  state: ConsumerState,
  seen: { readonly durable: DurableState; readonly observation: StreamObservation | undefined },
): ConsumerState {
  if (state.kind !== "consuming") return state;
  const observation = seen.observation ?? state.known.observation;
  return { ...state, known: { ...state.known, durable: seen.durable, observation } };
}

export interface Settled {
  /** Highest effective sequence of the batch, and highest message sequence. */
  readonly settledSeq: number;
  readonly deliveredSeq: number;
  readonly now: number;
}

export function applied(state: ConsumerState, batch: Settled): ConsumerState {
  if (!isAttached(state)) return state;
  const { known } = state;
  return {
    ...state,
    known: {
      ...known,
      settledSeq: Math.max(known.settledSeq, batch.settledSeq),
      deliveredSeq: Math.max(known.deliveredSeq, batch.deliveredSeq),
    },
    progressAt: batch.now,
  };
}

export function stopped(state: ConsumerState): ConsumerState {
  return { kind: "stopped", known: knownOf(state) };
}
