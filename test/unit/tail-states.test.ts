import { expect, test } from "vitest";
import { openStates } from "../../generator/cli/commands/tail.js";

test("mesh tail asks the broker once for all events that wait for a durable, and after they came", async () => {
  let asked = 0;
  const consumerState = async () => ({ ackFloor: ++asked, pending: 0, ackPending: 0 }) as never;
  const stateOf = openStates({ consumerState });
  const hearer = { consumer: { stream: "AUTH", durable: "sfs_auth_user" } } as never;
  const first = await Promise.all(Array.from({ length: 1_000 }, () => stateOf(hearer)));
  expect(asked).toBe(1);
  expect(first.every((state) => state?.ackFloor === 1)).toBe(true);
  expect((await stateOf(hearer))?.ackFloor).toBe(2);
});
