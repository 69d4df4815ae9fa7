import { expect, test } from "vitest";
import { startCascadeWorker } from "../../../runtime/cascade/cascade-worker.js";
import { dispatchOrderConsumer } from "../../scenarios/emit/composite-keys/expected/dispatch/consumers/shop-order.js";
import { picks } from "../../scenarios/emit/composite-keys/expected/dispatch/tables.js";
import { openOwner } from "../../support/composite-keys.js";
import { recordingLogger } from "../../support/loggers.js";
import { waitFor } from "../../support/servers.js";

test("a cascade task under another key of its table stays, with the reason, and so does the row", async () => {
  const dispatch = await openOwner("dispatch", { "/picks": picks });
  const rows = async (text: string) => (await dispatch.pool.query(text)).rows;
  await rows("INSERT INTO picks (order_id, shelf) VALUES ('42', 1)");
  await rows(
    "INSERT INTO mesh.cascade_task (entity, entity_id, hook, table_name, row_key) VALUES ('shop.order', '42', 'freeShelf', 'picks', '1')",
  );
  let calls = 0;
  const freeShelf = async () => {
    calls += 1;
  };
  const logger = recordingLogger();
  const worker = startCascadeWorker({
    pool: dispatch.pool,
    consumers: [dispatchOrderConsumer({ freeShelf })],
    logger,
    pollMs: 50,
  });
  try {
    const told = () => rows("SELECT row_key, last_error FROM mesh.cascade_task WHERE last_error IS NOT NULL");
    await waitFor(async () => (await told()).length > 0, { what: "the task to say why it stays" });
    expect(await told()).toEqual([{ row_key: "1", last_error: '"1" is no key of picks (shelf, order_id)' }]);
    expect(await rows("SELECT shelf, order_id FROM picks")).toEqual([{ shelf: 1, order_id: "42" }]);
    expect(calls).toBe(0);
    expect(logger.lines).toContainEqual(
      expect.objectContaining({
        level: "error",
        message: "a row pending deletion stays",
      }),
    );
  } finally {
    await worker.stop();
    await dispatch.close();
  }
});
