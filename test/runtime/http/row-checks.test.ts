import type pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import type { TableDefinition } from "../../../runtime/definition/table-definition.js";
import { serveDatabase, type TestServer } from "../../support/http-server.js";
import { applyFiles, chain, openDatabase, shop, type TestDatabase } from "../../support/migrations.js";

/*
 * Conditions of mesh.yaml on a row: `check` of a column, `checks` of a table.
 */

const ITEMS = `items:
  checks: { in_order: low <= high, same_or_none: low IS NOT DISTINCT FROM low }
  columns:
    id: { type: nanoid, key: true }
    low: { type: integer, check: low > 0 }
    high: integer`;
const items: TableDefinition = {
  name: "items",
  key: "id",
  columns: [
    { name: "id", type: "nanoid", defaulted: true },
    { name: "low", type: "integer" },
    { name: "high", type: "integer" },
  ],
};
let database: TestDatabase;
let pool: pg.Pool;
let server: TestServer;

beforeAll(async () => {
  database = await openDatabase(inject("postgres"), chain([shop(ITEMS)]));
  server = await serveDatabase(database.url, {
    service: "shop",
    resources: [{ path: "/api/items", table: items }],
  });
  pool = server.pool;
});
afterAll(async () => {
  await server?.close();
  await database?.close();
});

async function post(body: object) {
  const response = await server.request("POST", "/api/items", { body });
  return { status: response.status, text: await response.text() };
}

test("a row that breaks a condition is a 422, which points at the column, or at the row where it is of several", async () => {
  expect((await post({ low: 1, high: 2 })).status).toBe(201);
  const ofColumn = await post({ low: 0, high: 2 });
  expect([ofColumn.status, JSON.parse(ofColumn.text).errors]).toMatchObject([422, [{ pointer: "/low" }]]);
  const ofRow = await post({ low: 3, high: 2 });
  expect([ofRow.status, JSON.parse(ofRow.text).errors]).toMatchObject([422, [{ pointer: "" }]]);
  expect(ofRow.text).toContain("items_in_order_holds");
});

test("plain SQL is held to it as well", async () => {
  await expect(pool.query("INSERT INTO items VALUES ('x', 5, 4)")).rejects.toMatchObject({
    code: "23514",
    constraint: "items_in_order_holds",
  });
});

test("a migration that adds a condition which rows break fails, says which, and leaves the rows", async () => {
  const files = chain([
    shop(ITEMS),
    shop(ITEMS.replace("high: integer", "high: { type: integer, check: high > 5 }")),
  ]);
  const chained = await openDatabase(inject("postgres"), files.slice(0, 1));
  try {
    await chained.client.query("INSERT INTO items VALUES ('a', 1, 2)");
    await expect(applyFiles(chained.client, files)).rejects.toThrow(/items_high_rule/);
    expect((await chained.client.query("SELECT high FROM items")).rows).toEqual([{ high: 2 }]);
  } finally {
    await chained.close();
  }
});
