import type pg from "pg";
import type { BatchContext } from "../../runtime/consumer/batch-context.js";
import { createMutex } from "../../runtime/database/mutex.js";
import type { ConsumerDefinition } from "../../runtime/definition/consumer-definition.js";
import { buildModel } from "../../runtime/inbox/consumer-model.js";
import { parseMessage } from "../../runtime/inbox/parse.js";
import { silent } from "./loggers.js";
import type { TestDelivery } from "./user-consumer.js";

/** What a batch is applied with, where no consumer runs that would. */
export function batchContext(pool: pg.Pool, definition: ConsumerDefinition): BatchContext {
  return {
    model: buildModel(definition),
    logger: silent,
    origin: "event",
    pool,
    tally: { applied: 0, stale: 0, deadLetters: 0 },
    exclusively: createMutex(),
    onTasks: () => undefined,
    onPlaceholder: () => undefined,
    onTrouble: () => undefined,
    signal: new AbortController().signal,
    deferredUntil: new Map(),
  };
}

/** Deliveries as a consumer has received and read them. */
export function receivedBy({ model }: BatchContext, deliveries: readonly TestDelivery[]) {
  return deliveries.map((delivery) => ({
    delivery,
    seq: delivery.seq,
    parsed: parseMessage(model, delivery, delivery.seq),
  }));
}
