import { describe, expect, it } from "vitest";
import { standingOf, type TracedEvent } from "../../../runtime/operate/trace-standing.js";
import type { SubscriberTrace } from "../../../runtime/operate/trace-subscriber.js";

const NOTHING: SubscriberTrace = {
  durable: "sfs_auth_user",
  subscription: { offset: 0, snapshotAt: "t", snapshotSeq: 5, snapshotError: null, snapshotWanted: null },
  state: null,
  retries: [],
  letters: [],
  unfit: [],
  tasks: [],
};
const event: TracedEvent = {
  stream: "AUTH",
  seq: 7,
  subject: "auth.user.a.updated",
  at: new Date().toISOString(),
  eventId: "e",
  version: 3,
  causationId: null,
  correlationId: null,
};
const durable = { pending: 2, ackPending: 1, redelivered: 0, created: "", ackFloor: 4 };
const retry = (seq: number) => ({ seq, attempts: 2, error: "no", nextAt: "t", nextInSeconds: 3 });
const letter = { id: 1, seq: 7, error: "no", attempts: 3, failedAt: "t", settled: null };
const discarded = { ...letter, settled: { as: "discarded" as const, at: "t", by: "ada", why: null } };
const state = (version: number | null, seq: number | null) => ({
  version,
  versioned: version !== null,
  deleted: false,
  seq,
});
const standing = (trace: Partial<SubscriberTrace>, facts: object = {}) =>
  standingOf({ ...NOTHING, ...trace }, { event, seqs: [7], durable, ...facts }).kind;

describe("what has become of an event at a subscriber", () => {
  it.each([
    ["applied", { state: state(3, 7) }, {}],
    ["applied", { state: state(4, 9) }, {}],
    ["snapshot", { state: state(3, 5) }, {}],
    ["snapshot", { state: state(3, null) }, {}],
    ["dead", { letters: [letter], retries: [retry(7)] }, {}],
    [
      "waiting",
      { letters: [{ ...letter, settled: { as: "redriven" as const, at: "t", by: null, why: null } }] },
      {},
    ],
    ["discarded", { letters: [discarded] }, { durable: { ...durable, ackFloor: 7 } }],
    ["applied", { letters: [discarded], state: state(4, 9) }, {}],
    ["retrying", { retries: [retry(7)], state: state(2, 6) }, {}],
    ["behind", { retries: [retry(6)], state: state(1, 3) }, {}],
    ["waiting", { retries: [retry(8)] }, {}],
    ["waiting", { state: state(2, 3) }, {}],
    ["passed over", {}, { durable: { ...durable, ackFloor: 7 } }],
    ["not started", { subscription: null }, {}],
    ["unknown", {}, { durable: undefined }],
    ["nothing", {}, { event: undefined }],
    ["nothing", { state: state(null, null) }, { event: undefined }],
    ["snapshot", { state: state(3, 5) }, { event: undefined, seqs: [] }],
  ])("%s: %j %j", (kind, trace, facts) => {
    expect(standing(trace, facts)).toBe(kind);
  });

  it("counts sequences from the offset of a stream that was made anew", () => {
    const subscription = { ...NOTHING.subscription, offset: 100 } as NonNullable<
      SubscriberTrace["subscription"]
    >;
    expect(standing({ subscription, letters: [letter] })).toBe("waiting");
    expect(standing({ subscription, letters: [{ ...letter, seq: 107 }] })).toBe("dead");
  });
});
