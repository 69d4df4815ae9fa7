import { expect, test } from "vitest";
import type { ConsumerDefinition } from "../../../runtime/definition/consumer-definition.js";
import type { EventDefinition, MeshEvent } from "../../../runtime/definition/event-definition.js";
import { buildModel } from "../../../runtime/inbox/consumer-model.js";
import { toImpliedEvent } from "../../../runtime/inbox/implied-events.js";
import { silent } from "../../support/loggers.js";

test("an event made from a row of the owner has the fields of the message, not the columns behind them", () => {
  const placed: EventDefinition = {
    name: "OrderPlaced",
    entity: "order",
    action: "placed",
    change: "create",
    fields: ["restaurantId", "qty", "state", "buyer"],
    members: {
      restaurantId: "restaurant_id",
      state: { constant: "PLACED" },
      buyer: { members: { id: "buyer_id", kind: { constant: 1 } } },
    },
    validate: (data): data is MeshEvent =>
      typeof data === "object" && data !== null && "restaurantId" in data && data.restaurantId === "r1",
  };
  const consumer = {
    durable: "kitchen_food_order",
    entity: "food.order",
    stream: { name: "FOOD" },
    events: [{ event: placed, handler: async () => undefined }],
  } as unknown as ConsumerDefinition;
  const row = {
    order_id: "o1",
    restaurant_id: "r1",
    buyer_id: "b1",
    qty: 2,
    _version: 3,
    _first_version: null,
  };
  const implied = toImpliedEvent(
    buildModel(consumer),
    { id: "o1", change: "create", version: 3, seq: 1, row },
    silent,
  );
  expect(implied?.event).toMatchObject({
    metadata: { entity_id: "o1", version: 3 },
    restaurantId: "r1",
    qty: 2,
    state: "PLACED",
    buyer: { id: "b1", kind: 1 },
  });
});
