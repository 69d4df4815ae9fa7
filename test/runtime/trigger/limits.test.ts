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

test("the largest payload that the compiler allows is one that a trigger writes; one field more is refused", async () => {
  const { tables, subjects } = wide(95);
  const { client, close } = await openService(inject("postgres"), shop(tables, subjects));
  try {
    await client.query("INSERT INTO items (item_id) VALUES ('i')");
    await client.query("UPDATE items SET c93 = 7");
    const [, updated] = await takeEvents(client);
    expect(JSON.parse(updated?.body ?? "")).toMatchObject({ item_id: "i", c0: 0, c93: 7 });
  } finally {
    await close();
  }
  const larger = wide(96);
  expect(() => shop(larger.tables, larger.subjects)).toThrow("too-many");
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
