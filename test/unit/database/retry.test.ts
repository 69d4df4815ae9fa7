import { expect, test } from "vitest";
import { retryUntilAnswered } from "../../../runtime/database/retry.js";
import { ConnectionLost } from "../../../runtime/database/transaction.js";

test("trouble is over when the infrastructure answers, also where what it answers is a refusal", async () => {
  const told: (string | undefined)[] = [];
  const persistence = {
    signal: new AbortController().signal,
    onTrouble: (error: string | undefined) => void told.push(error),
  };
  const answers = [new ConnectionLost("the connection was lost"), new Error("no such value")];
  const work = async () => {
    throw answers.shift() ?? new Error("asked too often");
  };
  await expect(retryUntilAnswered(persistence, work)).rejects.toThrow("no such value");
  expect(told).toEqual(["the connection was lost", undefined]);
});
