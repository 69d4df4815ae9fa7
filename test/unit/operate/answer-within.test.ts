import { expect, test } from "vitest";
import { answerWithin, NoAnswer } from "../../../runtime/operate/answer-within.js";

test("a question that is not answered in time is refused, and one that fails says why", async () => {
  await expect(answerWithin(new Promise(() => {}), 20)).rejects.toThrow(
    new NoAnswer("no answer within 0.02 s"),
  );
  await expect(answerWithin(Promise.reject(new Error("down")), 20)).rejects.toThrow("down");
  expect(await answerWithin(Promise.resolve(7), 20)).toBe(7);
});

test("what was answered while this process was busy is no silence", async () => {
  const asked = new Promise((answer) => setImmediate(answer));
  const answered = answerWithin(asked, 5);
  const until = Date.now() + 30;
  while (Date.now() < until);
  await expect(answered).resolves.toBeUndefined();
});
