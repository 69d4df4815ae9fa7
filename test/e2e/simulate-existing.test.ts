import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeProject } from "../support/generated-project.js";
import { mesh } from "../support/mesh-command.js";

/*
 * `mesh simulate` makes tables that exist elsewhere as mesh.yaml describes them, and plays with them like any other.
 */

const MESH = `
mesh: existing
services:
  shop: { database: shop_db, publishes: [shop.*], http: { port: 8081, resources: { /api/orders: orders } } }
  mail: { database: mail_db, subscribes: [shop.order.*] }
databases:
  shop_db:
    existing: true
    tables:
      orders:
        schema: Sales Data
        table: Order
        columns:
          orderId: { type: text, key: true, defaulted: true }
          total: number
          select: { type: text, defaulted: true, unique: true }
          parent: { type: text, null: true, references: orders, on_delete: set_null }
          other: { type: text, null: true, references: orders, on_delete: cascade }
  mail_db:
    tables:
      letters: { schema: post, columns: { letter_id: { type: nanoid, key: true }, order_id: text } }
      order_copy:
        existing: true
        cache: shop.order
        sync: { from: shop, get: /api/orders }
        columns: { orderId: { type: text, key: true }, total: number, select: { type: text, unique: true } }
subjects:
  shop.order.{id}.placed: { event: OrderPlaced, emit: { table: orders, on: insert }, payload: { orderId: string, total: number, select: string } }
  shop.order.{id}.changed: { event: OrderChanged, emit: { table: orders, on: update }, payload: { orderId: string, total: number, select: string } }
  shop.order.{id}.deleted: { event: OrderDeleted, emit: { table: orders, on: delete }, payload: { orderId: string } }
cascades:
  - { on: shop.order.deleted, service: mail, delete: letters.order_id }
`;

let folder: string;
beforeAll(() => {
  folder = makeProject();
  writeFileSync(join(folder, "mesh.yaml"), MESH);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("every promise holds on tables and copies that exist, in schemas of their own", async () => {
  const generated = await mesh(folder, "generate");
  expect(generated.code, generated.stderr).toBe(0);
  const { code, stdout, stderr } = await mesh(folder, "simulate", "--runs", "5", "--seed", "5");
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toContain("every promise kept");
});
