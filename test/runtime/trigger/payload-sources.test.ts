import { afterAll, beforeAll, beforeEach, expect, inject, test } from "vitest";
import { applyFiles, chain, openDatabase, plan, shop, type TestDatabase } from "../../support/migrations.js";
import { openService, takeEvents } from "../../support/trigger-events.js";

/* What fills a field beside the column of its name: constants, what was before, rows that are referenced, objects of fields. */

const TABLES = `
buyers:
  columns:
    buyer_id: { type: text, key: true }
    name: text
    ratio: { type: number, default: 0.1 }
    spent: { type: bigint, default: 0 }
    mail: { type: text, null: true }
items:
  columns:
    item_id: { type: text, key: true }
    buyer_id: { type: text, references: buyers }
    giver_id: { type: text, null: true, references: buyers, on_delete: set_null }
    parent_id: { type: text, null: true, references: items, on_delete: cascade }
    price: "numeric(12,2)"
    sold_at: timestamp?
    extras: { type: json, null: true }
`;
const SUBJECTS = `
shop.item.{id}.saved:
  event: ItemSaved
  emit: { table: items, on: [insert, update] }
  payload:
    item_id: string
    formerPrice: { from: old.price }
    kind: { const: { "it's": [1.10, null, "$$"] } }
    buyer: { fields: { name: { from: buyer_id.name }, ratio: { from: buyer_id.ratio }, spent: { from: buyer_id.spent }, mail: { from: buyer_id.mail } } }
    giver: { from: giver_id.name }
    parentPrice: { from: parent_id.price }
shop.item.{id}.priced:
  event: ItemPriced
  emit: { table: items, on: update, of: [price] }
  payload: { item_id: string, from: { from: old.price }, soldAt: { from: old.sold_at }, extras: { from: old.extras } }
shop.item.{id}.billed:
  event: ItemBilled
  emit: { table: items, on: update, when: { extras: { null: false } } }
  payload: { item_id: string, name: { from: buyer_id.name, type: { type: string, maxLength: 3 } }, before: { from: old.price, type: { type: string, pattern: "^1" } } }
shop.item.{id}.deleted: { event: ItemDeleted, emit: { table: items, on: delete }, payload: { item_id: string, gone: { const: true } } }
`;

let database: TestDatabase;
const mesh = shop(TABLES, SUBJECTS);
beforeAll(async () => {
  database = await openService(inject("postgres"), mesh);
});
afterAll(() => database.close());
beforeEach(() =>
  database.client.query(
    "DELETE FROM items; DELETE FROM buyers; INSERT INTO buyers (buyer_id, name) VALUES ('b1', 'Ann'), ('b2', 'Bob')",
  ),
);

/** `saved`, and the text behind the metadata. */
async function told(sql: string): Promise<readonly string[]> {
  await takeEvents(database.client);
  await database.client.query(sql);
  return (await takeEvents(database.client)).map(
    ({ subject, body }) => `${subject.split(".").at(-1)} {${body.replace(/^\{"metadata":\{.*?\},?/, "")}`,
  );
}

const KIND = `"kind":{"it's":[1.1,null,"$$"]}`;
const ANN = `"buyer":{"name":"Ann","ratio":0.1,"spent":"0","mail":null}`;

test("an inserted row was nothing before, and shows the rows that it references, in one statement with them", async () => {
  expect(
    await told(`WITH b AS (INSERT INTO buyers VALUES ('b3', 'Cid', 0.30000000000000004, 9007199254740993, 'c@d') RETURNING buyer_id)
      INSERT INTO items SELECT 'i1', buyer_id, NULL, NULL, 1.50 FROM b`),
  ).toEqual([
    `saved {"item_id":"i1","formerPrice":null,${KIND},"buyer":{"name":"Cid","ratio":0.30000000000000004,"spent":"9007199254740993","mail":"c@d"},"giver":null,"parentPrice":null}`,
  ]);
  expect(
    await told("INSERT INTO items VALUES ('i2', 'b1', 'b2', 'i1', 2), ('i3', 'b1', NULL, 'i2', 3)"),
  ).toEqual([
    `saved {"item_id":"i2","formerPrice":null,${KIND},${ANN},"giver":"Bob","parentPrice":"1.50"}`,
    `saved {"item_id":"i3","formerPrice":null,${KIND},${ANN},"giver":null,"parentPrice":"2.00"}`,
  ]);
});

test("an update shows what its columns held before, exactly, and another reference is a change", async () => {
  await told(
    `INSERT INTO items VALUES ('i1', 'b1', NULL, NULL, 1.50, '2026-01-02 03:04:05.678901', '{"a": 1.10}')`,
  );
  expect(await told("UPDATE items SET price = 2, sold_at = NULL, extras = NULL")).toEqual([
    `saved {"item_id":"i1","formerPrice":"1.50",${KIND},${ANN},"giver":null,"parentPrice":null}`,
    `priced {"item_id":"i1","from":"1.50","soldAt":"2026-01-02T03:04:05.678901Z","extras":{"a": 1.10}}`,
  ]);
  expect(await told("UPDATE items SET giver_id = 'b2'")).toEqual([
    `saved {"item_id":"i1","formerPrice":"2.00",${KIND},${ANN},"giver":"Bob","parentPrice":null}`,
  ]);
  expect(await told("DELETE FROM buyers WHERE buyer_id = 'b2'")).toEqual([
    `saved {"item_id":"i1","formerPrice":"2.00",${KIND},${ANN},"giver":null,"parentPrice":null}`,
  ]);
  expect(await told("UPDATE buyers SET name = 'Eve'")).toEqual([]);
  expect(await told("UPDATE items SET sold_at = now()")).toEqual([]);
  expect(await told("DELETE FROM items")).toEqual(['deleted {"item_id":"i1","gone":true}']);
});

test("a row that means an event is refused where what was, or a row that it references, breaks the payload's rules", async () => {
  await told(
    "INSERT INTO buyers VALUES ('b3', 'Anna'); INSERT INTO items VALUES ('i1', 'b1', NULL, NULL, 1), ('i2', 'b1', NULL, NULL, 2), ('i3', 'b3', NULL, NULL, 1)",
  );
  const means = (id: string) => told(`UPDATE items SET extras = '{}' WHERE item_id = '${id}'`);
  expect(await means("i1")).toEqual(['billed {"item_id":"i1","name":"Ann","before":"1.00"}']);
  await expect(means("i2")).rejects.toMatchObject({ code: "23514", column: "price" });
  await expect(means("i3")).rejects.toMatchObject({ code: "23514", column: "buyer_id" });
});

test("a column that only other tables' events show holds no value that they could not carry", async () => {
  await expect(database.client.query("UPDATE buyers SET ratio = 'NaN'")).rejects.toMatchObject({
    code: "23514",
  });
});

test("the rows that are referenced are those of the schema where migrations make tables, whatever the writer's search path", async () => {
  await database.client.query(
    "CREATE SCHEMA IF NOT EXISTS decoy; CREATE TABLE IF NOT EXISTS decoy.buyers (buyer_id text, name text, ratio float8, spent int8, mail text)",
  );
  expect(
    await told(
      "SET search_path = decoy, public; INSERT INTO public.items VALUES ('i1', 'b1', NULL, NULL, 1); RESET search_path",
    ),
  ).toEqual([`saved {"item_id":"i1","formerPrice":null,${KIND},${ANN},"giver":null,"parentPrice":null}`]);
});

test("the triggers of a table follow the new names of another table and of its columns", async () => {
  const renamed = shop(
    TABLES.replace("buyers:\n", "people:\n  renamed_from: buyers\n")
      .replaceAll("references: buyers", "references: people")
      .replace("    name: text", "    full_name: { type: text, renamed_from: name }"),
    SUBJECTS.replaceAll("buyer_id.name", "buyer_id.full_name").replaceAll(
      "giver_id.name",
      "giver_id.full_name",
    ),
  );
  const other = await openDatabase(inject("postgres"), plan(mesh).files.shop ?? []);
  try {
    await other.client.query(
      "INSERT INTO buyers VALUES ('b1', 'Ann'); INSERT INTO items VALUES ('i1', 'b1', NULL, NULL, 1)",
    );
    await applyFiles(other.client, chain([mesh, renamed]));
    await takeEvents(other.client);
    await other.client.query("UPDATE items SET giver_id = 'b1'");
    const [event] = await takeEvents(other.client);
    expect(event?.body).toContain('"giver":"Ann"');
  } finally {
    await other.close();
  }
});

test("a table that exists may check its references at COMMIT: a row whose other row is not there yet is refused", async () => {
  const existing = shop(
    `
buyers: { existing: true, columns: { buyer_id: { type: text, key: true }, name: text } }
items: { existing: true, columns: { item_id: { type: text, key: true }, buyer_id: { type: text, references: buyers } } }
`,
    "shop.item.{id}.saved: { event: ItemSaved, emit: { table: items, on: insert }, payload: { item_id: string, buyer: { from: buyer_id.name } } }",
  );
  const other = await openDatabase(inject("postgres"));
  try {
    await other.client.query(`CREATE TABLE buyers (buyer_id text PRIMARY KEY, name text NOT NULL);
      CREATE TABLE items (item_id text PRIMARY KEY, buyer_id text NOT NULL REFERENCES buyers DEFERRABLE INITIALLY DEFERRED)`);
    await applyFiles(other.client, plan(existing).files.shop ?? []);
    await expect(
      other.client.query("INSERT INTO items VALUES ('i1', 'b1'); INSERT INTO buyers VALUES ('b1', 'Ann')"),
    ).rejects.toMatchObject({ code: "23514", column: "buyer_id" });
    await other.client.query(
      "INSERT INTO buyers VALUES ('b1', 'Ann'); INSERT INTO items VALUES ('i1', 'b1')",
    );
    const [event] = await takeEvents(other.client);
    expect(event?.body).toContain('"buyer":"Ann"');
  } finally {
    await other.close();
  }
});

test("a row that comes back from a soft deletion was nothing before, and shows whom it references", async () => {
  const soft = shop(
    `
buyers: { columns: { buyer_id: { type: text, key: true }, name: text } }
items:
  soft_delete: gone_at
  columns: { item_id: { type: text, key: true }, buyer_id: { type: text, references: buyers }, price: integer, gone_at: timestamp? }
`,
    `
shop.item.{id}.saved: { event: ItemSaved, emit: { table: items, on: [insert, update] }, payload: { item_id: string, price: integer, formerPrice: { from: old.price }, buyer: { from: buyer_id.name } } }
shop.item.{id}.deleted: { event: ItemDeleted, emit: { table: items, on: delete }, payload: { item_id: string, lastPrice: { from: price } } }
`,
  );
  const other = await openService(inject("postgres"), soft);
  const payloads = async (sql: string) => {
    await other.client.query(sql);
    return (await takeEvents(other.client)).map(({ body }) => {
      const { metadata, ...payload } = JSON.parse(body);
      return payload;
    });
  };
  try {
    await payloads("INSERT INTO buyers VALUES ('b1', 'Ann'); INSERT INTO items VALUES ('i1', 'b1', 1)");
    expect(await payloads("UPDATE items SET price = 2")).toEqual([
      { item_id: "i1", price: 2, formerPrice: 1, buyer: "Ann" },
    ]);
    expect(await payloads("UPDATE items SET gone_at = now()")).toEqual([{ item_id: "i1", lastPrice: 2 }]);
    expect(await payloads("UPDATE items SET gone_at = NULL, price = 3")).toEqual([
      { item_id: "i1", price: 3, formerPrice: null, buyer: "Ann" },
    ]);
  } finally {
    await other.close();
  }
});
