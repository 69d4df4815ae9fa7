import { expect, test } from "vitest";
import { backOff } from "../../runtime/back-off.js";

const middle = () => 0.5;

test("a back-off doubles with each failure, up to the longest delay", () => {
  const delayAfter = backOff({ from: 100, to: 1_000 }, middle);
  expect([0, 1, 2, 3, 4, 5].map(delayAfter)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
});

test("after any number of failures in a row a back-off stays finite", () => {
  expect(backOff({ from: 100, to: 5_000 }, middle)(100_000)).toBe(5_000);
});

test("a back-off of one length is a fixed interval", () => {
  const delayAfter = backOff({ from: 250, to: 250 }, middle);
  expect([0, 1, 9].map(delayAfter)).toEqual([250, 250, 250]);
});

test("jitter spreads a delay over half to one and a half of its length", () => {
  const range = { from: 1_000, to: 60_000 };
  expect(backOff(range, () => 0)(1)).toBe(1_000);
  expect(backOff(range, () => 0.999)(1)).toBeCloseTo(2_998);
});

test("without a random source of its own a back-off takes the global one at each call", () => {
  const delayAfter = backOff({ from: 100, to: 100 });
  const former = Math.random;
  Math.random = middle;
  try {
    expect(delayAfter(0)).toBe(100);
  } finally {
    Math.random = former;
  }
});
