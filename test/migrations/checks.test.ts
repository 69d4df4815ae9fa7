import { describe, expect, inject, test } from "vitest";
import { readCatalog } from "../support/catalog.js";
import { applyFiles, chain, openDatabase, plan, shop } from "../support/migrations.js";

const ITEMS = `
items:
  columns:
    id: { type: text, key: true }
    ratio: { type: number }
    code: { type: text }
`;
const events = (code: string, ratio = "ratio") => `
shop.item.{id}.created: { event: ItemCreated, emit: { table: items, on: insert }, payload: { id: string, ${ratio}: number, code: ${code} } }
shop.item.{id}.updated: { event: ItemUpdated, emit: { table: items, on: update }, payload: { id: string, ${ratio}: number, code: ${code} } }
`;
const STRICT = `{ type: string, pattern: "^[a-z]+$" }`;

describe("rules that reach tables with rows", () => {
  const before = shop(ITEMS, events("string"));
  const after = shop(ITEMS, events(STRICT));

  test("are added for what comes and asked of what is there in a step of its own", () => {
    const text = chain([before, after]).at(-1)?.text ?? "";
    expect(text).toContain(
      "ALTER TABLE items ADD CONSTRAINT items_code_payload CHECK (code ~ '^[a-z]+$') NOT VALID;",
    );
    expect(text).toMatch(
      /ALTER TABLE items VALIDATE CONSTRAINT items_code_payload;\n\n-- What the database is/,
    );
  });

  test("name the rows that break them, and leave all as it was", async () => {
    const database = await openDatabase(inject("postgres"), chain([before]));
    await database.client.query("INSERT INTO items VALUES ('a', 1, 'fine'), ('b', 2, 'Not fine')");
    const files = chain([before, after]);
    const reason = await applyFiles(database.client, files).catch((error: Error) => error.message);
    expect(reason).toMatch(/"items_code_payload" of relation "items" is violated .*\(SQLSTATE 23514\)/);
    const query = /find them with (.*), settle them/.exec(String(reason))?.[1] ?? "";
    const { rows } = await database.client.query(query);
    expect(rows.map(({ id }) => id)).toEqual(["b"]);
    await database.client.query("UPDATE items SET code = 'fine'");
    await applyFiles(database.client, files);
    await expect(database.client.query("UPDATE items SET code = 'B'")).rejects.toMatchObject({
      code: "23514",
    });
    await database.close();
  });

  test.each([
    [
      "a column is renamed",
      ITEMS.replace("ratio:", "share:").replace("number }", "number, renamed_from: ratio }"),
      events(STRICT, "share"),
    ],
    [
      "the table is renamed",
      ITEMS.replace("items:", "goods:\n  renamed_from: items"),
      events(STRICT).replaceAll("table: items", "table: goods"),
    ],
    ["a rule changes", ITEMS, events("{ type: string, maxLength: 3 }")],
    ["a rule goes", ITEMS, events("string")],
    [
      "the column's type changes",
      ITEMS.replace("ratio: { type: number }", "ratio: { type: integer }"),
      events(STRICT, "ratio"),
    ],
    [
      "a one_of says it as well",
      ITEMS.replace("code: { type: text }", "code: { type: text, one_of: [a, b] }"),
      events("{ enum: [a, b] }"),
    ],
  ])("follow when %s", async (_, tables, subjects) => {
    const next = shop(tables, subjects);
    const files = chain([after, next]);
    const chained = await openDatabase(inject("postgres"), files);
    const fresh = await openDatabase(inject("postgres"), chain([next]));
    expect(await readCatalog(chained.client)).toEqual(await readCatalog(fresh.client));
    expect(plan(next, { existing: files }).files.shop).toEqual(files);
    await Promise.all([chained.close(), fresh.close()]);
  });
});
