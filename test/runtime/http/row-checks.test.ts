import type pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import type { TableDefinition } from "../../../runtime/definition/table-definition.js";
import { serveDatabase, type TestServer } from "../../support/http-server.js";
import { applyFiles, chain, openDatabase, shop, type TestDatabase } from "../../support/migrations.js";

/*
 * Conditions of mesh.yaml on a row: `check` of a column, `checks` of a table.
 */

/** The name of its check is cut, and has a hash of the whole. */
const LONG = "a_column_with_a_name_that_leaves_no_room_for_the_rest_of_it";
const ITEMS = `items:
  checks: { in_order: low <= high, same_or_none: low IS NOT DISTINCT FROM low }
  columns:
    id: { type: nanoid, key: true }
    low: { type: integer, check: low > 0 }
    high: integer
    ${LONG}: { type: "numeric(6,2)", default: 0, check: "${LONG} < 5" }`;
const items: TableDefinition = {
  name: "items",
  key: "id",
  columns: [
    { name: "id", type: "nanoid", defaulted: true },
    { name: "low", type: "integer" },
    { name: "high", type: "integer" },
    { name: LONG, type: "numeric(6,2)", defaulted: true },
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
  const ofLong = await post({ low: 1, high: 2, [LONG]: "5.00" });
  expect([ofLong.status, JSON.parse(ofLong.text).errors]).toMatchObject([422, [{ pointer: `/${LONG}` }]]);
  const ofRow = await post({ low: 3, high: 2 });
  expect([ofRow.status, JSON.parse(ofRow.text).errors]).toMatchObject([422, [{ pointer: "" }]]);
  expect(ofRow.text).toContain("items_in_order_holds");
});

test("plain SQL is held to it as well", async () => {
  await expect(pool.query("INSERT INTO items (id, low, high) VALUES ('x', 5, 4)")).rejects.toMatchObject({
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

test("a value of a filter that no column can have is the caller's mistake in the target: 400", async () => {
  const asked = await server.request("GET", `/api/items?${LONG}=00.10`);
  expect(asked.status).toBe(400);
  expect(JSON.parse(await asked.text()).detail).toMatch(
    new RegExp(`^${LONG} is not a decimal of 6 digits at most`),
  );
});
