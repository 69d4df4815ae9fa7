import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createVersionGapWaits, type InFlight } from "../../../runtime/consumer/version-gap.js";
import type { Incoming } from "../../../runtime/inbox/parse.js";

describe("the wait for earlier versions", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const event = (seq: number, id = `entity of ${seq}`, version = 7) =>
    ({ seq, id, version, subject: `auth.user.${id}.updated` }) as Incoming;
  type Out = Omit<InFlight, "next"> & Partial<InFlight>;
  const waitingOn = (out: Out) =>
    createVersionGapWaits({ inFlight: async () => ({ next: new Map(), ...out }), ackWaitSeconds: 30 });

  it("times out a little after the ack wait; further waits are short until one succeeds", async () => {
    const versionGaps = waitingOn({ ackFloor: 0, elsewhere: true });
    const isWaiting = async (seq: number) => (await versionGaps.delays([event(seq)])).has(seq);
    expect(await isWaiting(5)).toBe(true);
    vi.advanceTimersByTime(34_000);
    expect(await isWaiting(5)).toBe(true);
    vi.advanceTimersByTime(1_000);
    expect(await isWaiting(5)).toBe(false);
    expect(await isWaiting(6)).toBe(true);
    vi.advanceTimersByTime(1_000);
    expect(await isWaiting(6)).toBe(false);
    expect(await isWaiting(7)).toBe(true);
    versionGaps.applied([event(7)]);
    expect(await isWaiting(8)).toBe(true);
    vi.advanceTimersByTime(34_000);
    expect(await isWaiting(8)).toBe(true);
  });

  it("never defers the lowest message in flight, and counts how often it deferred others", async () => {
    const versionGaps = waitingOn({ ackFloor: 9, elsewhere: true });
    const delays = await versionGaps.delays([event(10), event(11)]);
    expect([...delays]).toEqual([[11, 100]]);
    expect((await versionGaps.delays([event(11)])).get(11)).toBe(150);
    expect([versionGaps.timesDeferred(10), versionGaps.timesDeferred(11)]).toEqual([0, 2]);
  });

  it("goes on while an earlier event of the entity is deferred here", async () => {
    const inFlight = { ackFloor: 0, elsewhere: true };
    const versionGaps = waitingOn(inFlight);
    await versionGaps.delays([event(5, "a", 12)]);
    inFlight.elsewhere = false;
    const follower = event(6, "a", 13);
    expect((await versionGaps.delays([follower, event(7, "b", 13)])).has(6)).toBe(true);
    expect((await versionGaps.delays([event(7, "b", 13)])).size).toBe(0);
    // Settled by another replica.
    inFlight.ackFloor = 5;
    expect((await versionGaps.delays([follower])).size).toBe(0);
  });

  it("is short after a time-out only while the ack ackFloor stands", async () => {
    const out = { ackFloor: 0, elsewhere: true };
    const versionGaps = waitingOn(out);
    await versionGaps.delays([event(5)]);
    vi.advanceTimersByTime(35_000);
    expect((await versionGaps.delays([event(5), event(7)])).has(5)).toBe(false);
    out.ackFloor = 3;
    vi.advanceTimersByTime(34_000);
    expect((await versionGaps.delays([event(7)])).has(7)).toBe(true);
    vi.advanceTimersByTime(1_000);
    expect((await versionGaps.delays([event(7)])).has(7)).toBe(false);
  });

  it("goes on while an earlier event of the entity is prefetched here: a redelivery, out of order", async () => {
    const next = new Map([
      ["auth.user.a", 6],
      ["auth.user.b", 9],
    ]);
    const versionGaps = waitingOn({ ackFloor: 0, elsewhere: false, next });
    const delays = await versionGaps.delays([event(7, "a"), event(8, "b"), event(5, "c")]);
    expect([...delays.keys()]).toEqual([7]);
  });

  it("does not begin where everything in flight is held by this process", async () => {
    expect(await waitingOn({ ackFloor: 0, elsewhere: false }).delays([event(5)])).toEqual(new Map());
  });
});
