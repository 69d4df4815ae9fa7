import { expect, it } from "vitest";
import { createInsertThrottle } from "../../../runtime/inbox/insert-throttle.js";

it("optimistic inserts back off after each conflict in a row, and are tried with every batch again once one succeeds", () => {
  const throttle = createInsertThrottle();
  const pauses: number[] = [];
  for (let conflicts = 0; conflicts < 13; conflicts += 1) {
    throttle.conflicted();
    let pause = 0;
    while (!throttle.mayTry()) pause += 1;
    pauses.push(pause);
  }
  expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 1_024, 1_024]);
  throttle.succeeded();
  throttle.conflicted();
  expect([throttle.mayTry(), throttle.mayTry()]).toEqual([false, true]);
});
