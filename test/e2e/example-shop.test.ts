import { join } from "node:path";
import { connect } from "nats";
import type pg from "pg";
import { expect, test } from "vitest";
import { afterTest, openClient } from "../support/after-test.js";
import { makeExample } from "../support/example.js";
import { mesh, operatorUrl, startDev } from "../support/mesh-command.js";
import { waitFor } from "../support/servers.js";

test("examples/shop: one wire name everywhere, what was before, and what other rows say, in messages that need no question", {
  timeout: 110_000,
}, async () => {
  const folder = await makeExample("shop");
  const dev = await startDev(folder, join(folder, ".mesh"));
  afterTest(() => dev.end());
  const store = await openClient(dev.endpoints.databases.store_db);
  const warehouse = await openClient(dev.endpoints.databases.warehouse_db);
  const bargains = await openClient(dev.endpoints.databases.bargains_db);
  const reader = await connect({ servers: operatorUrl(dev.endpoints) });
  afterTest(() => reader.close());
  const heard = new Map<string, Record<string, unknown>>();
  reader.subscribe("store.>", { callback: (_, message) => void heard.set(message.subject, message.json()) });
  await reader.flush();
  const ask = async (method: string, path: string, body: object) => {
    const answer = await fetch(`${dev.endpoints.services.store?.http}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${dev.endpoints.service_key}`,
        "content-type": "application/json",
      },
      body: JSON.stringify(body),
    });
    return { status: answer.status, body: (await answer.json()) as Readonly<Record<string, unknown>> };
  };
  const sees = (client: pg.Client, table: string, rows: readonly object[]) =>
    waitFor(
      async () => JSON.stringify((await client.query(`TABLE ${table}`)).rows) === JSON.stringify(rows),
      { timeoutMs: 30_000, what: `${table} to be ${JSON.stringify(rows)}` },
    );

  const { body: customer } = await ask("POST", "/customers", { fullName: "Ada", mailAddress: "ada@x.org" });
  const { body: product } = await ask("POST", "/products", { displayName: "Quince jam", unitPrice: "4.50" });
  expect(product).toEqual({
    productId: product.productId,
    displayName: "Quince jam",
    unitPrice: "4.50",
    shelfLifeDays: null,
  });
  expect(await ask("POST", "/customers", { fullName: "Eve", mailAddress: "ada@x.org" })).toMatchObject({
    status: 409,
    body: { errors: [{ pointer: "/mailAddress" }] },
  });
  const { body: order } = await ask("POST", "/orders", {
    customerId: customer.customerId,
    productId: product.productId,
    itemCount: 3,
  });
  await ask("PATCH", `/orders/${order.orderId}`, { orderState: "paid" });
  await sees(warehouse, "parcels", [
    { order_id: order.orderId, recipient: "Ada <ada@x.org>", contents: "3 x Quince jam" },
  ]);
  expect(heard.get(`store.order.${order.orderId}.paid`)).toEqual({
    metadata: expect.objectContaining({ entity_id: order.orderId }),
    orderId: order.orderId,
    status: "PAID",
    buyer: { name: "Ada", email: "ada@x.org" },
    item: { productId: product.productId, name: "Quince jam", count: 3 },
  });

  await ask("PATCH", `/products/${product.productId}`, { unitPrice: "3.95", shelfLifeDays: 90 });
  await sees(bargains, "bargains", [{ product_id: product.productId, saved: "0.55" }]);
  const copied = [{ product_id: product.productId, label: "Quince jam", shelf_life_days: 90 }];
  await sees(warehouse, "product_cache", copied);
  await store.query("UPDATE products SET unit_price = 5");
  await sees(bargains, "bargains", []);

  await warehouse.query("DELETE FROM product_cache; DELETE FROM mesh.applied");
  expect((await mesh(folder, "resync", "warehouse")).code).toBe(0);
  await sees(warehouse, "product_cache", copied);
  expect((await mesh(folder, "verify")).code).toBe(0);
  expect((await warehouse.query("SELECT FROM mesh.dead_letter")).rowCount).toBe(0);
});
