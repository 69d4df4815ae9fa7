import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { shop, type TestDatabase } from "../../support/migrations.js";
import { brief, openService, takeEvents } from "../../support/trigger-events.js";

/* Events that only some updates mean: `of`, and what `when` says of the row. */

const TABLES = `
items:
  columns:
    item_id: { type: text, key: true }
    name: { type: text, default: "" }
    price: { type: integer, null: true }
    state: { type: text, default: new }
    sold_at: { type: timestamp, null: true }
    extras: { type: json, null: true }
`;
const event = (action: string, emit: string) =>
  `shop.item.{id}.${action}: { event: Item${action[0]?.toUpperCase()}${action.slice(1)}, emit: { table: items, ${emit} }, payload: { item_id: string, name: string } }`;
const SUBJECTS = [
  event("priced", "on: update, of: [price]"),
  event("reduced", "on: update, of: [price, state], when: { state: sale }"),
  event("listed", "on: [insert, update], when: { state: [open, sale] }"),
  event("sold", "on: [insert, update], when: { sold_at: { null: false } }"),
  event("bared", "on: update, when: { extras: { null: true } }"),
  event("returned", "on: update, when: { sold_at: { null: true }, state: [open, sale, 'it''s'] }"),
].join("\n");

let database: TestDatabase;
beforeAll(async () => {
  database = await openService(inject("postgres"), shop(TABLES, SUBJECTS));
});
afterAll(() => database.close());
beforeEach(() => database.client.query("DELETE FROM items; INSERT INTO items (item_id) VALUES ('a'), ('b')"));

async function eventsOf(sql: string): Promise<readonly string[]> {
  await takeEvents(database.client);
  await database.client.query(sql);
  const events = brief(await takeEvents(database.client));
  return events.map((line) => line.replace(/ v\d+$/, "")).sort();
}

test("of: an update means the event where one of the columns changed, whatever else did", async () => {
  expect(await eventsOf("UPDATE items SET name = 'x'")).toEqual([]);
  expect(await eventsOf("UPDATE items SET price = 1, name = 'y' WHERE item_id = 'a'")).toEqual(["priced a"]);
  expect(await eventsOf("UPDATE items SET price = 1")).toEqual(["priced b"]);
  expect(await eventsOf("UPDATE items SET price = NULL WHERE item_id = 'b'")).toEqual(["priced b"]);
});

test("of beside when: the row holds the values now, also if it held them before", async () => {
  expect(await eventsOf("UPDATE items SET price = 5")).toEqual(["priced a", "priced b"]);
  expect(await eventsOf("UPDATE items SET state = 'sale' WHERE item_id = 'a'")).toEqual([
    "listed a",
    "reduced a",
    "returned a",
  ]);
  expect(await eventsOf("UPDATE items SET price = 4")).toEqual(["priced a", "priced b", "reduced a"]);
  expect(await eventsOf("UPDATE items SET name = 'z'")).toEqual([]);
});

test("when with a list: a row that changes between its values does not mean the event again", async () => {
  expect(await eventsOf("UPDATE items SET state = 'open' WHERE item_id = 'a'")).toEqual([
    "listed a",
    "returned a",
  ]);
  expect(await eventsOf("UPDATE items SET state = 'sale' WHERE item_id = 'a'")).toEqual(["reduced a"]);
  expect(await eventsOf("UPDATE items SET state = 'new'; UPDATE items SET state = 'it''s'")).toEqual([
    "returned a",
    "returned b",
  ]);
  expect(await eventsOf("INSERT INTO items (item_id, state) VALUES ('c', 'open'), ('d', 'gone')")).toEqual([
    "listed c",
  ]);
});

test("when with null: setting a value, and clearing it, each means its event once", async () => {
  expect(await eventsOf("UPDATE items SET sold_at = '2026-01-01'")).toEqual(["sold a", "sold b"]);
  expect(await eventsOf("UPDATE items SET sold_at = '2026-01-02'")).toEqual([]);
  expect(await eventsOf("UPDATE items SET state = 'open', name = 'n' WHERE item_id = 'a'")).toEqual([
    "listed a",
  ]);
  expect(await eventsOf("UPDATE items SET sold_at = NULL")).toEqual(["returned a"]);
  expect(await eventsOf("INSERT INTO items (item_id, sold_at) VALUES ('c', now()), ('d', NULL)")).toEqual([
    "sold c",
  ]);
});

test("when with null of JSON: the null of JSON is one, as a message shows it", async () => {
  expect(await eventsOf(`UPDATE items SET extras = '"null"'`)).toEqual([]);
  expect(await eventsOf("UPDATE items SET extras = 'null' WHERE item_id = 'a'")).toEqual(["bared a"]);
  expect(await eventsOf("UPDATE items SET extras = NULL")).toEqual(["bared b"]);
});
