import { expect, it } from "vitest";
import { type DeadLetterReason, textOf } from "../../../runtime/consumer/dead-letters.js";

it.each<[DeadLetterReason, { error: string; attempts: number }]>([
  [
    { kind: "invalid", error: "not JSON" },
    { error: "not JSON", attempts: 0 },
  ],
  [
    { kind: "unstorable", error: "a NUL", attempts: 1 },
    { error: "a NUL", attempts: 1 },
  ],
  [
    { kind: "attempts-exhausted", error: "hook: no", attempts: 3 },
    { error: "hook: no", attempts: 3 },
  ],
  [
    { kind: "process-ended", attempts: 2 },
    { error: "the process ended while applying it, each time", attempts: 2 },
  ],
])("a dead letter says why a message is poison: %o", (reason, said) => {
  expect(textOf(reason)).toEqual(said);
});
