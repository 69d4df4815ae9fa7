import { expect, test } from "vitest";
import type { Mesh } from "../../../generator/model/mesh.js";
import { plan, shop } from "../../support/migrations.js";

/* What a later edit of a table that exists means for its database: only what is ours of it changes. */

const ORDERS = `
orders:
  existing: true
  columns: { order_id: { type: bigint, key: true }, status: text, total: "numeric(12,2)" }`;
const CREATED =
  "shop.order.{id}.created: { event: OrderCreated, emit: { table: orders, on: insert }, payload: { order_id: bigint } }";
const UPDATED =
  "shop.order.{id}.updated: { event: OrderUpdated, emit: { table: orders, on: update }, payload: { order_id: bigint, total: decimal } }";

function secondMigration(before: Mesh, after: Mesh): string | undefined {
  const existing = plan(before).files.shop ?? [];
  expect(existing).toHaveLength(1);
  const { files, refusals } = plan(after, { existing });
  expect(refusals).toEqual([]);
  return files.shop?.[1]?.text;
}

test("an event that comes later adds its trigger to a table that exists, and alters nothing of the table", () => {
  const text = secondMigration(shop(ORDERS, CREATED), shop(ORDERS, `${CREATED}\n${UPDATED}`));
  expect(text).toContain("on_update");
  expect(text).not.toMatch(/ALTER TABLE orders (ADD|DROP|ALTER) COLUMN|CREATE TABLE/);
});

test("a column that the file names later is no step: the table has it", () => {
  const named = ORDERS.replace("status: text", "status: text, note: text?");
  expect(secondMigration(shop(ORDERS, CREATED), shop(named, CREATED))).toBeUndefined();
});

test("another key of a table that exists is refused, and where it is allowed its rows get versions under their new ids", () => {
  const next = shop(
    ORDERS.replace("existing: true", "existing: true\n  key: [order_id, status]").replace(", key: true", ""),
    CREATED,
  );
  const existing = plan(shop(ORDERS, CREATED)).files.shop ?? [];
  expect(plan(next, { existing }).refusals).toMatchObject([
    { code: "change-key", message: expect.stringContaining("from order_id to order_id, status") },
  ]);
  const text = plan(next, { existing, allowDestructive: true }).files.shop?.[1]?.text;
  expect(text).toContain("mesh.id_part(kept.order_id::text) || ':' || mesh.id_part(kept.status::text)");
  expect(text).toContain("'mesh_refuse_key_change', 'order_id', 'status'");
  expect(text).not.toContain("ALTER TABLE");
});
