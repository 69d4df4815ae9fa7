import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "nats";
import { expect, test } from "vitest";
import { afterTest, openClient } from "../support/after-test.js";
import { testProject } from "../support/generated-project.js";
import { mesh, operatorUrl, startDev } from "../support/mesh-command.js";
import { waitFor } from "../support/servers.js";

/*
 * Fields that are not called as their columns: in messages, in copies by events and by snapshots, and in the simulator.
 */

async function generated(text: string): Promise<string> {
  const folder = testProject();
  writeFileSync(join(folder, "mesh.yaml"), text);
  const { code, stderr } = await mesh(folder, "generate");
  expect(code, stderr).toBe(0);
  return folder;
}

const MAPPED = `
mesh: delivery
services:
  food: { database: food_db, publishes: [food.order.*], http: { port: 8081, resources: { /api/orders: orders } } }
  kitchen: { database: kitchen_db, subscribes: [food.order.*] }
databases:
  food_db:
    tables:
      orders:
        columns: { order_id: { type: nanoid, key: true }, restaurant_id: text, note: text?, qty: bigint, lines: json }
  kitchen_db:
    tables:
      order_cache:
        cache: food.order
        sync: { from: food, get: /api/orders }
        where: { place: [r1, r2] }
        columns:
          order_id: { type: text, key: true }
          place: { type: text, from: restaurantId }
          note: text?
          qty: bigint
          parts: { type: json, from: lines }
subjects:
  food.order.{id}.saved:
    event: OrderSaved
    emit: { table: orders, on: [insert, update] }
    payload:
      orderId: { from: order_id }
      restaurantId: { from: restaurant_id }
      remark: { from: note }
      quantity: { from: qty }
      lines: json
  food.order.{id}.deleted: { event: OrderDeleted, emit: { table: orders, on: delete }, payload: { orderId: { from: order_id } } }
`;

test("a field of another name than its column travels, and fills copies by events and by snapshots", async () => {
  const folder = await generated(MAPPED);
  const dev = await startDev(folder, join(folder, ".mesh"));
  afterTest(() => dev.end());
  const food = await openClient(dev.endpoints.databases.food_db);
  const kitchen = await openClient(dev.endpoints.databases.kitchen_db);
  const reader = await connect({ servers: operatorUrl(dev.endpoints) });
  afterTest(() => reader.close());
  const bodies: Record<string, unknown>[] = [];
  reader.subscribe("food.>", { callback: (_, message) => void bodies.push(message.json()) });
  await reader.flush();

  await food.query(`INSERT INTO orders (order_id, restaurant_id, note, qty, lines)
    VALUES ('o1', 'r1', NULL, 9007199254740993, '{"price": 1.10}'), ('o2', 'r9', 'warm', 1, '[]')`);
  const copied = async () =>
    JSON.stringify((await kitchen.query("SELECT * FROM order_cache ORDER BY 1")).rows);
  const wanted = JSON.stringify([
    { order_id: "o1", place: "r1", note: null, qty: "9007199254740993", parts: { price: 1.1 } },
  ]);
  await waitFor(async () => (await copied()) === wanted, { what: "the copy by events" });
  await waitFor(() => bodies.length === 2, { what: "the messages" });
  const { metadata, ...payload } = bodies.find(({ orderId }) => orderId === "o1") ?? {};
  expect(payload).toEqual({
    orderId: "o1",
    restaurantId: "r1",
    remark: null,
    quantity: "9007199254740993",
    lines: { price: 1.1 },
  });
  expect(Object.keys(payload)).toEqual(["orderId", "restaurantId", "remark", "quantity", "lines"]);

  await kitchen.query("DELETE FROM order_cache; DELETE FROM mesh.applied");
  const resynced = await mesh(folder, "resync", "kitchen");
  expect(resynced.code, resynced.stdout + resynced.stderr).toBe(0);
  expect(await copied()).toBe(wanted);
  const verified = await mesh(folder, "verify");
  expect(verified.code, verified.stdout + verified.stderr).toBe(0);
  await kitchen.query("UPDATE order_cache SET place = 'r2'");
  const differing = await mesh(folder, "verify");
  expect(differing.code, differing.stdout).toBe(1);
  expect(differing.stdout).toContain('"place":"r1"');
  expect((await kitchen.query("SELECT FROM mesh.dead_letter")).rowCount).toBe(0);
});

const CAMEL_CASE = `
mesh: delivery
naming: camelCase
services:
  food: { database: food_db, publishes: [food.order.*], http: { port: 8081, resources: { /api/orders: orders } } }
  kitchen: { database: kitchen_db, subscribes: [food.order.*], http: { port: 8082, resources: { /api/orders: order_cache } } }
databases:
  food_db:
    tables:
      orders:
        columns:
          order_id: { type: nanoid, key: true }
          restaurant_id: text
          line_1: json
          seat_count: { type: bigint, null: true }
          table_name: { type: text, unique: true, null: true }
          guest_note: { type: text, null: true, private: true }
        checks: { some_seats: "seat_count <> 0" }
  kitchen_db:
    tables:
      order_cache:
        cache: food.order
        sync: { from: food, get: /api/orders }
        columns: { order_id: { type: text, key: true }, restaurant_id: text, line_1: json, seats: { type: bigint, from: seatCount, null: true } }
subjects:
  food.order.{id}.saved:
    event: OrderSaved
    emit: { table: orders, on: [insert, update] }
    payload: { orderId: nanoid, restaurantId: { from: restaurant_id, type: { type: string, pattern: "^r" } }, line1: json, seatCount: bigint? }
  food.order.{id}.deleted: { event: OrderDeleted, emit: { table: orders, on: delete }, payload: { orderId: nanoid } }
`;

test("where the wire speaks camelCase, so do REST, its refusals, its filters, messages, snapshots and copies", async () => {
  const folder = await generated(CAMEL_CASE);
  const dev = await startDev(folder, join(folder, ".mesh"));
  afterTest(() => dev.end());
  const food = await openClient(dev.endpoints.databases.food_db);
  const kitchen = await openClient(dev.endpoints.databases.kitchen_db);
  const ask = async (service: string, path: string, method = "GET", body?: unknown) => {
    const answer = await fetch(`${dev.endpoints.services[service]?.http}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${dev.endpoints.service_key}`,
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === "" ? undefined : JSON.parse(text), text };
  };
  const created = await ask(
    "food",
    "/api/orders",
    "POST",
    '{"orderId": "o1", "restaurantId": "r1", "line1": {"price": 1.10}, "seatCount": 9007199254740993, "tableName": "t1", "guestNote": "shy"}',
  );
  expect(created.status, created.text).toBe(201);
  const shown = {
    orderId: "o1",
    restaurantId: "r1",
    line1: { price: 1.1 },
    seatCount: "9007199254740993",
    tableName: "t1",
  };
  expect(created.body).toEqual(shown);
  expect((await food.query("SELECT * FROM orders")).rows).toEqual([
    {
      order_id: "o1",
      restaurant_id: "r1",
      line_1: { price: 1.1 },
      seat_count: "9007199254740993",
      table_name: "t1",
      guest_note: "shy",
    },
  ]);
  expect((await ask("food", "/api/orders/o1")).body).toEqual(shown);
  expect((await ask("food", "/api/orders?restaurantId=r1")).body).toEqual([shown]);
  expect((await ask("food", "/api/orders/o1", "PATCH", { restaurantId: "r2" })).body).toEqual({
    ...shown,
    restaurantId: "r2",
  });

  const refused = async (work: ReturnType<typeof ask>) => {
    const { status, body } = await work;
    return [status, ...(body.errors ?? []).map(({ pointer }: { pointer: string }) => pointer), body.detail];
  };
  expect(await refused(ask("food", "/api/orders", "POST", { restaurant_id: "r1", line1: {} }))).toEqual([
    422,
    "/restaurantId",
    "/restaurant_id",
    "2 values are not as this resource takes them.",
  ]);
  expect(await refused(ask("food", "/api/orders", "POST", { restaurantId: "x", line1: {} }))).toEqual([
    422,
    "/restaurantId",
    "One value is not as this resource takes them.",
  ]);
  expect(
    await refused(ask("food", "/api/orders", "POST", { restaurantId: "r1", line1: {}, tableName: "t1" })),
  ).toEqual([409, "/tableName", "Another row of orders has this value of tableName."]);
  expect(await refused(ask("food", "/api/orders/o1", "PATCH", { orderId: "o2" }))).toEqual([
    422,
    "/orderId",
    "One value is not as this resource takes them.",
  ]);
  expect(await refused(ask("food", "/api/orders?restaurant_id=r1"))).toEqual([
    400,
    '"restaurant_id" does not filter: there is no such column. Columns: orderId, restaurantId, seatCount, tableName.',
  ]);
  expect((await ask("food", "/api/orders/o9")).body.detail).toBe(
    'There is no row of orders with the orderId "o9".',
  );

  const copied = async () => JSON.stringify((await kitchen.query("SELECT * FROM order_cache")).rows);
  const wanted = JSON.stringify([
    { order_id: "o1", restaurant_id: "r2", line_1: { price: 1.1 }, seats: "9007199254740993" },
  ]);
  await waitFor(async () => (await copied()) === wanted, { what: "the copy by events" });
  expect((await ask("kitchen", "/api/orders")).body).toEqual([
    { orderId: "o1", restaurantId: "r2", line1: { price: 1.1 }, seats: "9007199254740993" },
  ]);
  await kitchen.query("DELETE FROM order_cache; DELETE FROM mesh.applied");
  const resynced = await mesh(folder, "resync", "kitchen");
  expect(resynced.code, resynced.stdout + resynced.stderr).toBe(0);
  expect(await copied()).toBe(wanted);
  const verified = await mesh(folder, "verify");
  expect(verified.code, verified.stdout + verified.stderr).toBe(0);
});

const COMPOSITE = `
mesh: delivery
naming: camelCase
services:
  food: { database: food_db, publishes: [food.*], http: { port: 8081, resources: { /lines: order_lines, /guests: guests } } }
  kitchen: { database: kitchen_db, subscribes: [food.*], http: { port: 8082, resources: { /lines: line_cache } } }
databases:
  food_db:
    tables:
      guests:
        soft_delete: gone_at
        columns: { guest_id: { type: nanoid, key: true }, full_name: text, gone_at: timestamp? }
      order_lines:
        key: [order_id, line_no]
        columns: { order_id: text, line_no: integer, guest_id: { type: text, null: true, references: guests, on_delete: set_null }, item_count: integer }
  kitchen_db:
    tables:
      line_cache:
        cache: food.line
        key: [order_id, place]
        sync: { from: food, get: /lines }
        where: { pieces: [1, 3] }
        columns: { order_id: text, place: { type: integer, from: lineNo }, pieces: { type: integer, from: itemCount } }
      seats:
        columns: { seat_id: { type: nanoid, key: true }, guest_id: text? }
subjects:
  food.line.{id}.saved:
    event: LineSaved
    emit: { table: order_lines, on: [insert, update] }
    payload: { orderId: string, lineNo: integer, itemCount: integer, guestName: { from: guest_id.full_name } , before: { from: old.item_count } }
  food.line.{id}.deleted: { event: LineDeleted, emit: { table: order_lines, on: delete }, payload: { orderId: string, lineNo: integer } }
  food.guest.{id}.saved: { event: GuestSaved, emit: { table: guests, on: [insert, update] }, payload: { guestId: nanoid, fullName: string, formerName: { from: old.full_name } } }
  food.guest.{id}.deleted: { event: GuestDeleted, emit: { table: guests, on: delete }, payload: { guestId: nanoid, who: { fields: { name: { from: full_name } } } } }
cascades:
  - { on: food.guest.deleted, service: kitchen, set_null: seats.guest_id }
`;

// Of several columns, called otherwise than the owner's, of an owner that speaks camelCase, beside fields that no snapshot has.
test("every promise holds for a copy whose columns are not called as its owner's", async () => {
  const folder = await generated(COMPOSITE);
  const { code, stdout, stderr } = await mesh(folder, "simulate", "--runs", "5", "--seed", "5");
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toContain("every promise kept");
});
