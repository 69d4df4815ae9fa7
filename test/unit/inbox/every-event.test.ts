import { expect, test } from "vitest";
import type { ConsumerDefinition } from "../../../runtime/definition/consumer-definition.js";
import type { HandlerContext } from "../../../runtime/definition/hook-definition.js";
import { consumersOf } from "../../../runtime/inbox/every-event.js";
import { streamPlan } from "../../support/broker-plans.js";
import { eventDefinition } from "../../support/event-definition.js";

const context = { subject: "auth.user.1.updated" } as HandlerContext<never>;

function consumerWith(durable: string, handler?: () => Promise<void>): ConsumerDefinition {
  return {
    durable,
    stream: streamPlan({ name: "AUTH" }),
    filter: "auth.user.*.*",
    entity: "auth.user",
    events: [{ event: eventDefinition(), handler }],
  };
}

async function run(consumers: readonly ConsumerDefinition[]): Promise<void> {
  for (const { events } of consumers) for (const { handler } of events) await handler?.(context);
}

test("the hook of every event runs after an event's own handler, and where there is none", async () => {
  const calls: string[] = [];
  const note = (what: string) => async () => {
    calls.push(what);
  };
  const consumers = [consumerWith("a", note("own")), consumerWith("b")];
  await run(consumersOf({ consumers, onEvent: note("every") }));
  expect(calls).toEqual(["own", "every", "every"]);
});

test("an event's own handler that fails fails the event: the hook of every event is not called", async () => {
  const calls: string[] = [];
  const failing = consumerWith("a", () => Promise.reject(new Error("not yet")));
  const onEvent = async () => {
    calls.push("every");
  };
  await expect(run(consumersOf({ consumers: [failing], onEvent }))).rejects.toThrow("not yet");
  expect(calls).toEqual([]);
});

test("without it the consumers stay as they are: no event has a handler that does nothing", () => {
  const consumers = [consumerWith("a")];
  expect(consumersOf({ consumers })).toBe(consumers);
});
