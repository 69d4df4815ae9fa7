import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import type { TableDefinition } from "../../../runtime/definition/table-definition.js";
import { refusalOf } from "../../../runtime/http/http-errors.js";
import { shop, type TestDatabase } from "../../support/migrations.js";
import { brief, openService, takeEvents } from "../../support/trigger-events.js";

const TABLES = `
items:
  columns:
    id: { type: text, key: true }
    code: { type: text, null: true }
    label: { type: text, default: ok }
    state: { type: text, default: new }
    ratio: { type: number, null: true }
    due_at: { type: timestamp, null: true }
    size: { type: bigint, null: true }
    settings: { type: json, null: true }
    own_ratio: { type: number, null: true }
    own_due: { type: timestamp, null: true }
    own_size: { type: bigint, null: true }
    price: { type: number, null: true }
    rate: { type: number, default: 0.5 }
`;
const CODE = `{ type: string, pattern: "^[a-z]+$", maxLength: 5, optional: true }`;
const SETTINGS =
  "{ type: object, required: [a], additionalProperties: false, properties: { a: { type: integer } }, optional: true }";
const PRICE = `{ type: number, multipleOf: 0.01, optional: true }`;
const SUBJECTS = `
shop.item.{id}.created: { event: ItemCreated, emit: { table: items, on: insert }, payload: { id: string, code: ${CODE}, label: { minLength: 2 }, ratio: number?, due_at: timestamp?, size: integer?, settings: ${SETTINGS}, price: ${PRICE} } }
shop.item.{id}.updated: { event: ItemUpdated, emit: { table: items, on: update }, payload: { id: string, code: ${CODE}, label: string, ratio: number?, settings: ${SETTINGS}, price: ${PRICE} } }
shop.item.{id}.sold: { event: ItemSold, emit: { table: items, on: update, when: { state: sold } }, payload: { id: string, label: { maxLength: 3 }, rate: { multipleOf: 0.1 } } }
shop.item.{id}.deleted: { event: ItemDeleted, emit: { table: items, on: delete }, payload: { id: string, label: { enum: [ok, end] } } }
`;

let database: TestDatabase;
beforeAll(async () => {
  database = await openService(inject("postgres"), shop(TABLES, SUBJECTS));
});
afterAll(() => database.close());
beforeEach(() =>
  database.client.query("UPDATE items SET label = 'ok'; DELETE FROM items; DELETE FROM mesh.outbox"),
);

const insert = (column: string, value: unknown) =>
  database.client.query(`INSERT INTO items (id, ${column}) VALUES ('i', $1)`, [value]);
const set = (column: string, value: unknown) =>
  database.client.query(`UPDATE items SET ${column} = $1 WHERE id = 'i'`, [value]);

describe("what a message cannot hold is refused with its row", () => {
  const refused: readonly (readonly [column: string, value: unknown, constraint: string])[] = [
    ["ratio", "NaN", "items_ratio_travels"],
    ["ratio", "Infinity", "items_ratio_travels"],
    ["ratio", "-Infinity", "items_ratio_travels"],
    ["due_at", "infinity", "items_due_at_travels"],
    ["due_at", "-infinity", "items_due_at_travels"],
    ["due_at", "10000-01-01", "items_due_at_travels"],
    ["due_at", "0044-03-15 BC", "items_due_at_travels"],
    ["size", "9007199254740992", "items_size_travels"],
    ["size", "-9223372036854775808", "items_size_travels"],
  ];
  test.each(refused)("%s %s", async (column, value, constraint) => {
    const refusal = { code: "23514", constraint, table: "items" };
    await expect(insert(column, value)).rejects.toMatchObject(refusal);
    await database.client.query("INSERT INTO items (id) VALUES ('i')");
    await expect(set(column, value)).rejects.toMatchObject(refusal);
    expect(brief(await takeEvents(database.client))).toHaveLength(1);
  });

  test("and the comment of the constraint says why, as REST does", async () => {
    const comment =
      "SELECT obj_description(oid, 'pg_constraint') AS said FROM pg_constraint WHERE conname = $1";
    expect((await database.client.query(comment, ["items_ratio_travels"])).rows).toEqual([
      { said: "No message can carry NaN or infinity: neither an event nor a copy could have the row." },
    ]);
    const error = await insert("ratio", "NaN").catch((refusal: unknown) => refusal);
    const table: TableDefinition = { name: "items", key: "id", columns: [{ name: "ratio", type: "number" }] };
    expect(refusalOf(error, "body", table)?.errors).toEqual([
      {
        pointer: "/ratio",
        detail: "the row breaks the rule items_ratio_travels of items: no message can carry NaN or infinity",
      },
    ]);
  });

  test("and all that it can hold is accepted, NULL too; columns that no event carries are not checked", async () => {
    await database.client.query(`INSERT INTO items (id, ratio, due_at, size, own_ratio, own_due, own_size) VALUES
      ('a', 1.7976931348623157e308, '0001-01-01', 9007199254740991, 'NaN', 'infinity', 9223372036854775807),
      ('b', -5e-324, '9999-12-31 23:59:59.999999', -9007199254740991, '-Infinity', '-infinity', NULL),
      ('c', NULL, NULL, NULL, NULL, NULL, NULL)`);
    expect(await takeEvents(database.client)).toHaveLength(3);
  });
});

describe("the payload's own schema is enforced at the owner", () => {
  test("as a CHECK where every row is emitted with it", async () => {
    for (const code of ["A", "abcdef", ""]) {
      const refusal = { code: "23514", constraint: "items_code_payload", table: "items" };
      await expect(insert("code", code)).rejects.toMatchObject(refusal);
    }
    for (const settings of ["[]", "{}", '{"a": 1, "b": 2}', "null", "1"]) {
      if (settings === "null") continue;
      await expect(insert("settings", settings)).rejects.toMatchObject({
        constraint: "items_settings_payload",
      });
    }
    await insert("code", "abcde");
    await expect(set("code", "A")).rejects.toMatchObject({ constraint: "items_code_payload" });
    await set("code", null);
    await set("settings", '{"a": 1}');
  });

  test("of an event that only some writes emit: for those rows alone, with the column and before the event", async () => {
    await expect(insert("label", "x")).rejects.toMatchObject({
      code: "23514",
      table: "items",
      column: "label",
      constraint: "items_label_created_payload",
    });
    await insert("label", "long");
    // The update event's schema does not constrain it.
    await set("label", "x");
    await set("label", "longer");
    await expect(set("state", "sold")).rejects.toMatchObject({
      column: "label",
      constraint: "items_label_sold_payload",
    });
    await set("label", "abc");
    await set("state", "sold");
    // The condition of the event no longer holds.
    await set("label", "longest");
    await expect(database.client.query("DELETE FROM items")).rejects.toMatchObject({
      constraint: "items_label_deleted_payload",
    });
    await set("label", "end");
    await database.client.query("DELETE FROM items");
    expect((await takeEvents(database.client)).map(({ subject }) => subject.split(".").at(-1))).toEqual([
      "created",
      "updated",
      "updated",
      "updated",
      "sold",
      "updated",
      "updated",
      "deleted",
    ]);
  });

  test("of digits, whatever the session of the writer would print", async () => {
    for (const digits of [-15, -4, 0, 1, 3]) {
      await database.client.query(`SET extra_float_digits = ${digits}`);
      await expect(insert("price", 0.1234567)).rejects.toMatchObject({ constraint: "items_price_payload" });
      await expect(insert("price", 1.0000000001)).rejects.toMatchObject({
        constraint: "items_price_payload",
      });
      await insert("price", 123456789.01);
      await set("rate", 0.30000000000000004);
      await expect(set("state", "sold")).rejects.toMatchObject({ constraint: "items_rate_sold_payload" });
      await set("rate", 0.3);
      await set("state", "sold");
      await database.client.query("DELETE FROM items");
    }
    await database.client.query("RESET extra_float_digits");
  });

  test("many rows in one statement: one invalid row refuses them all", async () => {
    const many =
      "INSERT INTO items (id, label) SELECT n::text, CASE n WHEN 777 THEN 'x' ELSE 'ok' END FROM generate_series(1, 1000) AS n";
    await expect(database.client.query(many)).rejects.toMatchObject({ column: "label" });
    expect(await takeEvents(database.client)).toHaveLength(0);
  });
});
