import fc from "fast-check";
import type { EntityState, OrderedEvent } from "../../runtime/inbox/order.js";
import type { Change } from "../../runtime/vocabulary.js";

/* Random states of an entity in a consumer's database, and events of it. */

const version = fc.option(fc.integer({ min: 0, max: 5 }), { nil: null });
const change = fc.constantFrom<Change>("create", "update", "delete", "none");
export const state: fc.Arbitrary<EntityState> = fc.record({
  version,
  versioned: fc.boolean(),
  deleted: fc.boolean(),
  seq: fc.option(fc.integer({ min: 0, max: 5 }), { nil: null }),
});
export const orderedEvent: fc.Arbitrary<OrderedEvent> = fc.record({
  version,
  change,
  seq: fc.integer({ min: 1, max: 6 }),
});
