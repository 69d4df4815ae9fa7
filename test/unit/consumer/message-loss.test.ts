import { describe, expect, it } from "vitest";
import { findLoss, type StreamObservation } from "../../../runtime/consumer/message-loss.js";

describe("message loss between two polls", () => {
  interface Poll {
    readonly first?: number;
    readonly last: number;
    readonly delivered?: number;
    readonly pending?: number;
    readonly here?: number;
  }
  const observe = ({
    first = 1,
    last,
    delivered = last,
    pending = 0,
    here = 0,
  }: Poll): StreamObservation => ({
    deliveredSeq: here,
    position: { created: "then", firstSeq: first, lastSeq: last },
    durable: { created: "then", pending, ackPending: 0, redelivered: 0, lastDelivered: delivered },
  });
  const lost = (before: Poll, now: Poll) => findLoss(observe(before), observe(now)) !== undefined;

  it.each<[what: string, before: Poll, now: Poll, expected: boolean]>([
    ["nothing happened", { last: 10 }, { last: 10 }, false],
    ["what was read long ago was evicted", { last: 10 }, { first: 8, last: 20 }, false],
    [
      "others' messages were evicted",
      { last: 10, delivered: 2 },
      { first: 8, last: 12, delivered: 2 },
      false,
    ],
    ["all was purged after it was read", { last: 10 }, { first: 11, last: 10 }, false],
    ["the tail was lost", { last: 10 }, { last: 9 }, true],
    ["what came and was delivered since the last poll was lost", { last: 10 }, { last: 10, here: 12 }, true],
    [
      "what was delivered to another replica was lost",
      { last: 10, delivered: 12 },
      { last: 10, delivered: 12 },
      true,
    ],
    [
      "all was purged, and some of it was unread",
      { last: 10, delivered: 4, pending: 6 },
      { first: 11, last: 10, delivered: 4 },
      true,
    ],
    [
      "some was evicted unread",
      { last: 10, delivered: 4, pending: 6 },
      { first: 8, last: 20, delivered: 4, pending: 9 },
      true,
    ],
    ["what came since the last poll was purged", { last: 10 }, { first: 13, last: 12, delivered: 10 }, true],
  ])("when %s", (_, before, now, expected) => {
    expect(lost(before, now)).toBe(expected);
  });
});
