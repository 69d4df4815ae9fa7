import { executionAsyncId } from "node:async_hooks";
import { expect, inject, test } from "vitest";
import { dial } from "../../../runtime/broker/dial.js";

/** Whether Node calls hooks for promises: without, their continuations have no ids of their own. */
async function hooksPromises(): Promise<boolean> {
  await Promise.resolve();
  const before = executionAsyncId();
  await Promise.resolve();
  return executionAsyncId() !== before;
}

test("promises cost no hooks once nothing is dialled", async () => {
  const { signal } = new AbortController();
  const options = { servers: inject("nats") };
  const dials = [dial(options, signal), dial(options, signal)];
  expect(await hooksPromises()).toBe(true);
  const clients = await Promise.all(dials);
  expect(await hooksPromises()).toBe(false);
  for (const client of clients) await client.close();
});
