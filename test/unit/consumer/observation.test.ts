import { describe, expect, it } from "vitest";
import type { Known } from "../../../runtime/consumer/consumer-state.js";
import type { StreamObservation } from "../../../runtime/consumer/message-loss.js";
import {
  assess,
  type BrokerPoll,
  type Memory,
  NO_MEMORY,
  type Poll,
} from "../../../runtime/consumer/observation.js";

interface Seen {
  readonly first?: number;
  readonly last?: number;
  readonly pending?: number;
  readonly created?: string;
  readonly durableCreated?: string;
}

const see = ({
  first = 1,
  last = 10,
  pending = 1,
  created = "then",
  durableCreated = "then",
}: Seen = {}): StreamObservation => ({
  position: { created, firstSeq: first, lastSeq: last },
  durable: { created: durableCreated, pending, ackPending: 0, redelivered: 0, lastDelivered: 0 },
  deliveredSeq: 0,
});
const known: Known = {
  epoch: { streamCreated: "then", offset: 0, begun: false },
  durable: see().durable,
  observation: see(),
  deliveredSeq: 0,
  settledSeq: 0,
};
const poll = (seen: StreamObservation | "gone", more: Partial<BrokerPoll> = {}, now = 1_000_000): Poll => ({
  now,
  pendingRetries: 0,
  otherRelease: false,
  reachable: true,
  broker: { known, seen, instance: undefined, ...more },
});
const kinds = (given: Poll, memory: Memory = NO_MEMORY) =>
  assess(memory, given).findings.map(({ kind }) => kind);

describe("what a poll of the monitor means", () => {
  it("is nothing beside what was seen while nothing has changed", () => {
    expect(kinds(poll(see()))).toEqual(["retries-counted", "observed", "checked"]);
  });

  it("is that all is drained where nothing is pending or in flight", () => {
    expect(kinds(poll(see({ pending: 0 })))).toContain("drained");
  });

  it("is nothing of the broker while it is not asked, and no periodic check while it is out of reach", () => {
    const away: Poll = { ...poll(see()), broker: undefined };
    expect(kinds(away)).toEqual(["retries-counted", "checked"]);
    expect(kinds({ ...away, reachable: false })).toEqual(["retries-counted"]);
  });

  it.each([
    ["the durable or its stream is gone", "gone" as const],
    ["the stream is another one", see({ created: "later" })],
  ])("is that the durable is gone where %s", (_, seen) => {
    expect(kinds(poll(seen))).toEqual(["retries-counted", "durable-gone"]);
  });

  it("is that the durable was recreated, which loses what was evicted meanwhile", () => {
    expect(kinds(poll(see({ durableCreated: "later" })))).toEqual([
      "retries-counted",
      "durable-recreated",
      "observed",
      "checked",
    ]);
  });

  it("is a sequence regression, always and before anything else, where the stream ends earlier", () => {
    const memory = { ...NO_MEMORY, lostAt: 999_999 };
    expect(kinds(poll(see({ last: 9, pending: 0 }), { instance: "b" }), memory)).toEqual([
      "retries-counted",
      "sequence-regressed",
    ]);
  });

  it("is message loss, at most once per minute, and keeps the former observation in between", () => {
    const evicted = see({ first: 8, last: 20 });
    const first = assess(NO_MEMORY, poll(evicted));
    expect(first.findings.map(({ kind }) => kind)).toEqual([
      "retries-counted",
      "messages-lost",
      "observed",
      "checked",
    ]);
    const soon = assess(first.memory, poll(evicted, {}, 1_059_999));
    expect(soon.findings).toContainEqual({ kind: "observed", seen: evicted, observation: undefined });
    expect(soon.memory.lostAt).toBe(1_000_000);
    expect(kinds(poll(evicted, {}, 1_060_000), soon.memory)).toContain("messages-lost");
  });

  it("is that the broker changed, at most every 20 seconds, from the second instance on", () => {
    const first = assess(NO_MEMORY, poll(see(), { instance: "a" }));
    expect(first.findings.map(({ kind }) => kind)).not.toContain("broker-changed");
    const second = assess(first.memory, poll(see(), { instance: "b" }));
    expect(second.findings.map(({ kind }) => kind)).toContain("broker-changed");
    const third = poll(see(), { instance: "c" }, 1_019_999);
    expect(kinds(third, second.memory)).not.toContain("broker-changed");
    expect(kinds({ ...third, now: 1_020_000 }, assess(second.memory, third).memory)).toContain(
      "broker-changed",
    );
  });

  it("is that another release ended, once, when the last of its replicas is gone", () => {
    const both = assess(NO_MEMORY, { ...poll(see()), otherRelease: true });
    expect(kinds(poll(see()), both.memory)).toContain("other-release-ended");
    expect(kinds(poll(see()), assess(both.memory, poll(see())).memory)).not.toContain("other-release-ended");
  });
});
