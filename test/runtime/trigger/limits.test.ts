import { expect, inject, test } from "vitest";
import { shop } from "../../support/migrations.js";
import { openService, takeEvents } from "../../support/trigger-events.js";

/** A table with this many columns, key included, whose events carry all of them. */
function wide(count: number) {
  const columns = Array.from({ length: count - 1 }, (_, index) => `c${index}`);
  const payload = `{ item_id: string, ${columns.map((name) => `${name}: integer`).join(", ")} }`;
  const tables = `items:
  columns:
    item_id: { type: text, key: true }
${columns.map((name, index) => `    ${name}: { type: integer, default: ${index} }`).join("\n")}`;
  const subjects = `shop.item.{id}.created: { event: ItemCreated, emit: { table: items, on: insert }, payload: ${payload} }
shop.item.{id}.updated: { event: ItemUpdated, emit: { table: items, on: update }, payload: ${payload} }`;
  return { tables, subjects };
}

test("an event shows all columns of a wide table", async () => {
  const { tables, subjects } = wide(400);
  const { client, close } = await openService(inject("postgres"), shop(tables, subjects));
  try {
    await client.query("INSERT INTO items (item_id) VALUES ('i')");
    await client.query("UPDATE items SET c398 = 7");
    const [, updated] = await takeEvents(client);
    expect(JSON.parse(updated?.body ?? "")).toMatchObject({ item_id: "i", c0: 0, c398: 7 });
  } finally {
    await close();
  }
});

test("a payload of more fields than a SELECT has columns is refused", () => {
  const { tables } = wide(2);
  const payload = Array.from({ length: 1_665 }, (_, index) => `f${index}: { const: 1 }`).join(", ");
  const subject = `shop.item.{id}.created: { event: ItemCreated, emit: { table: items, on: insert }, payload: { ${payload} } }`;
  expect(() => shop(tables, subject)).toThrow("too-many");
});

test("a default of json may be a number or a flag", async () => {
  const { client, close } = await openService(
    inject("postgres"),
    shop(`items:
  columns:
    item_id: { type: text, key: true }
    level: { type: json, default: 5 }
    open: { type: json, default: true }`),
  );
  try {
    const { rows } = await client.query("INSERT INTO items (item_id) VALUES ('i') RETURNING level, open");
    expect(rows).toEqual([{ level: 5, open: true }]);
  } finally {
    await close();
  }
});
