import { describe, expect, it } from "vitest";
import type { ConsumerState as DurableState } from "../../../runtime/broker/broker.js";
import {
  applied,
  attached,
  type ConsumerState,
  detached,
  isAttached,
  knownOf,
  leave,
  mayMissMessages,
  observed,
  passedEnd,
  STARTING,
  stopped,
} from "../../../runtime/consumer/consumer-state.js";
import type { StreamObservation } from "../../../runtime/consumer/message-loss.js";

const epoch = { streamCreated: "then", offset: 0, begun: false };
const durable: DurableState = { created: "then", pending: 0, ackPending: 0, redelivered: 0 };
const observation: StreamObservation = {
  position: { created: "then", lastSeq: 9 },
  durable,
  deliveredSeq: 4,
};

const consuming = attached(STARTING, { epoch, durable, now: 1 });
const read = applied(observed(consuming, { durable, observation }), {
  settledSeq: 7,
  deliveredSeq: 7,
  now: 2,
});
const again = (state: ConsumerState, begun = false) =>
  attached(state, { epoch: { ...epoch, begun }, durable, now: 3 });

describe("the states of a consumer", () => {
  it("starts with nothing known, and consumes once it is attached", () => {
    expect([knownOf(STARTING), isAttached(STARTING), mayMissMessages(STARTING)]).toEqual([
      undefined,
      false,
      false,
    ]);
    expect(consuming).toEqual({
      kind: "consuming",
      known: { epoch, durable, observation: undefined, deliveredSeq: 0, settledSeq: 0 },
      progressAt: 1,
    });
  });

  it("keeps what it knows when it attaches again to the stream that it left", () => {
    const gone = detached(read);
    expect(gone).toMatchObject({ kind: "detached", mayMissMessages: false });
    expect(again(gone)).toEqual({ kind: "consuming", known: knownOf(read), progressAt: 3 });
  });

  it("compares nothing with the stream before messages may have been lost", () => {
    const left = leave(read, "sequence-regressed");
    expect(left).toMatchObject({ kind: "leaving", reason: "sequence-regressed" });
    expect(detached(left)).toMatchObject({ kind: "detached", mayMissMessages: true });
    expect(knownOf(again(detached(left)))).toMatchObject({
      observation: undefined,
      deliveredSeq: 0,
      settledSeq: 7,
    });
  });

  it("counts deliveries anew in another epoch", () => {
    expect(knownOf(again(detached(read), true))).toMatchObject({ observation, deliveredSeq: 0 });
  });

  it("assumes message loss when a poll found the durable gone just before the consumer detached", () => {
    expect(mayMissMessages(leave(detached(read), "durable-gone"))).toBe(true);
  });

  it("stays past the end of its stream until it attaches, and lacks messages then", () => {
    const past = passedEnd(STARTING, epoch);
    expect([past.kind, detached(past), mayMissMessages(past)]).toEqual(["past-end", past, true]);
    expect(leave(past, "durable-gone")).toBe(past);
    expect(again(past)).toMatchObject({ kind: "consuming", known: { observation: undefined } });
    expect(passedEnd(detached(read), undefined)).toMatchObject({ kind: "past-end", known: knownOf(read) });
    expect(passedEnd(STARTING, undefined)).toBe(STARTING);
  });

  it("takes the batch in hand into account while it leaves", () => {
    const left = applied(leave(read, "durable-gone"), { settledSeq: 9, deliveredSeq: 5, now: 8 });
    expect(left).toMatchObject({
      kind: "leaving",
      known: { settledSeq: 9, deliveredSeq: 7 },
      progressAt: 8,
    });
  });

  it("goes on comparing with the former observation where a new one is withheld", () => {
    const pending = { ...durable, pending: 3 };
    expect(knownOf(observed(read, { durable: pending, observation: undefined }))).toMatchObject({
      observation,
      durable: { pending: 3 },
    });
    expect(observed(detached(read), { durable: pending, observation: undefined })).toEqual(detached(read));
  });

  it.each([STARTING, read, leave(read, "durable-gone"), detached(read), passedEnd(STARTING, epoch)])(
    "stops from any state, and stays stopped: $kind",
    (state) => {
      const end = stopped(state);
      expect(end).toEqual({ kind: "stopped", known: knownOf(state) });
      expect([detached(end), leave(end, "durable-gone"), passedEnd(end, epoch)]).toEqual([end, end, end]);
    },
  );
});
