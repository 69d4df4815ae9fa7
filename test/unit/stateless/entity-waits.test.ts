import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createEntityWaits } from "../../../runtime/stateless/entity-waits.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("messages that were put off are tried in the order of the stream, in whatever order they come again", () => {
  const waits = createEntityWaits();
  waits.putOff("a", 1, 1_000);
  expect(waits.waitMs("a", 2)).toBe(1_100);
  waits.putOff("a", 2, 1_100);
  waits.putOff("a", 3, 1_100);
  expect(waits.waitMs("b", 4)).toBe(0);
  vi.advanceTimersByTime(1_200);
  expect(waits.waitMs("a", 3)).toBe(100);
  expect(waits.waitMs("a", 2)).toBe(100);
  expect(waits.waitMs("a", 1)).toBe(0);
  waits.settled("a", 1);
  expect(waits.waitMs("a", 3)).toBe(100);
  expect(waits.waitMs("a", 2)).toBe(0);
  waits.settled("a", 2);
  expect(waits.waitMs("a", 3)).toBe(0);
  waits.settled("a", 3);
  expect(waits.count()).toBe(0);
});

test("one that fails again waits for its own back-off, and one before it does not wait", () => {
  const waits = createEntityWaits();
  waits.putOff("a", 5, 1_000);
  expect(waits.waitMs("a", 5)).toBe(1_000);
  expect(waits.waitMs("a", 4)).toBe(0);
  vi.advanceTimersByTime(1_000);
  expect(waits.waitMs("a", 5)).toBe(0);
  waits.putOff("a", 5, 2_000);
  expect(waits.waitMs("a", 6)).toBe(2_100);
});

test("one that went to another replica holds up nothing for longer than five seconds after it was due", () => {
  const waits = createEntityWaits();
  waits.putOff("a", 1, 1_000);
  waits.putOff("b", 9, 0);
  vi.advanceTimersByTime(5_900);
  expect(waits.waitMs("a", 2)).toBe(100);
  vi.advanceTimersByTime(200);
  expect(waits.waitMs("a", 2)).toBe(0);
  expect(waits.count()).toBe(0);
});
