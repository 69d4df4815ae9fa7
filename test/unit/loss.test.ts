import { expect, it } from "vitest";
import type { ConsumerState } from "../../runtime/broker/broker.js";
import { createLossWatch } from "../../runtime/consume/loss.js";

it("what shows as a loss, and what does not", () => {
  const losses = createLossWatch();
  const at = (created: string, firstSeq: number, lastSeq: number) => ({ created, firstSeq, lastSeq });
  const durable = (lastDelivered: number, pending: number) => ({ lastDelivered, pending }) as ConsumerState;
  // A durable made late, behind the oldest message: the snapshot of its start covers that.
  expect(losses.compare(at("1", 50, 100), durable(0, 51), 0)).toBeUndefined();
  expect(losses.compare(at("1", 50, 100), durable(100, 0), 0)).toBeUndefined();
  // Others' subjects, which are never delivered, come and are evicted.
  expect(losses.compare(at("1", 50, 300), durable(100, 0), 0)).toBeUndefined();
  expect(losses.compare(at("1", 290, 400), durable(100, 0), 0)).toBeUndefined();
  // Evicted while the consumer was behind; told once.
  expect(losses.compare(at("1", 300, 600), durable(410, 150), 0)).toBeUndefined();
  expect(losses.compare(at("1", 500, 900), durable(410, 300), 0)).toBe("evicted");
  expect(losses.compare(at("1", 500, 900), durable(410, 300), 0)).toBeUndefined();
  expect(losses.compare(at("1", 500, 890), durable(410, 300), 0)).toBe("shortened");
  expect(losses.compare(at("2", 1, 3), durable(0, 3), 0)).toBeUndefined();
  // Applied since the look before, and lost since.
  expect(losses.compare(at("2", 1, 3), durable(3, 0), 6)).toBe("shortened");
});
