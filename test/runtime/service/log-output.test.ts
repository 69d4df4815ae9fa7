import { PassThrough } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { createLogOutput, type LogTarget } from "../../../runtime/service/log-output.js";

const LINE = `${"x".repeat(99)}\n`;
const notice = (dropped: number) => `${dropped} missed\n`;

/** A pipe that nobody reads until `resume`. */
function pipe(): PassThrough & LogTarget {
  return new PassThrough({ highWaterMark: 1_000 }) as PassThrough & LogTarget;
}

test("a reader that stops costs a bounded buffer, and learns how many lines it missed", async () => {
  const target = pipe();
  const output = createLogOutput(target, { bufferBytes: 5_000, notice });
  for (let line = 0; line < 1_000; line += 1) output.write(LINE);
  expect(target.writableLength).toBeLessThan(6_000);
  const missed = output.dropped();
  expect(missed).toBeGreaterThan(900);

  let text = "";
  target.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  await sleep(20);
  output.write("again\n");
  await output.flush(1_000);
  const lines = text.trimEnd().split("\n");
  expect(lines.filter((line) => line.startsWith("x"))).toHaveLength(1_000 - missed);
  expect(lines.slice(-2)).toEqual([`${missed} missed`, "again"]);
  expect(output.dropped()).toBe(missed);
});

test("a flush waits for the reader, and no longer than it is told to", async () => {
  const target = pipe();
  const output = createLogOutput(target, { notice });
  for (let line = 0; line < 100; line += 1) output.write(LINE);
  const before = performance.now();
  await output.flush(50);
  expect(performance.now() - before).toBeLessThan(1_000);
  expect(target.writableLength).toBeGreaterThan(0);
  target.resume();
  await output.flush(5_000);
  expect(target.writableLength).toBe(0);
});

test("a reader that has gone takes nothing along", async () => {
  const target = pipe();
  const output = createLogOutput(target, { notice });
  target.destroy(new Error("write EPIPE"));
  await sleep(5);
  output.write(LINE);
  expect(output.dropped()).toBe(1);
  await output.flush(5_000);
});
