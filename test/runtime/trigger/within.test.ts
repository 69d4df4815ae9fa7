import { afterAll, beforeAll, beforeEach, describe, expect, inject, test } from "vitest";
import { shop, type TestDatabase } from "../../support/migrations.js";
import { brief, openService, takeEvents } from "../../support/trigger-events.js";

/*
 * Triggers of the user on a table that tells events: what they change is told in order, or refused.
 */

const TABLES = `
items:
  columns:
    id: { type: text, key: true }
    label: { type: text, default: "" }
    chosen: { type: boolean, default: false }
    ratio: { type: number, default: 0 }
    after: { type: text, default: "" }
    standing: { type: text, default: "" }
    overtaken: { type: text, default: "" }
`;
const PAYLOAD =
  "{ id: string, label: string, chosen: boolean, ratio: number, after: string, overtaken: string }";
const SUBJECTS = `
shop.item.{id}.created: { event: ItemCreated, emit: { table: items, on: insert }, payload: ${PAYLOAD} }
shop.item.{id}.updated: { event: ItemUpdated, emit: { table: items, on: update }, payload: ${PAYLOAD} }
shop.item.{id}.deleted: { event: ItemDeleted, emit: { table: items, on: delete }, payload: { id: string } }
`;

let database: TestDatabase;
const ask = (text: string) => database.client.query(text);
beforeAll(async () => {
  database = await openService(inject("postgres"), shop(TABLES, SUBJECTS));
});
afterAll(() => database.close());
beforeEach(() =>
  ask("DROP FUNCTION IF EXISTS public.step CASCADE; DELETE FROM items; DELETE FROM mesh.outbox"),
);

async function trigger(when: string, body: string): Promise<void> {
  await ask(`CREATE FUNCTION public.step() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body} RETURN new; END $$;
    CREATE TRIGGER a_step ${when} EXECUTE FUNCTION public.step()`);
}

const REFUSAL = { code: "0A000", table: "items" };

describe("what a trigger changes of rows that its statement has just written is refused", () => {
  test.each([
    ["an update after an insert", "UPDATE items SET label = 'late' WHERE id = new.id;"],
    ["the last bit of a double", "UPDATE items SET ratio = 5e-324 WHERE id = new.id;"],
    ["a deletion after an insert", "DELETE FROM items WHERE id = new.id;"],
  ])("%s", async (_, body) => {
    await trigger("AFTER INSERT ON items FOR EACH ROW", body);
    await expect(ask("INSERT INTO items VALUES ('i')")).rejects.toMatchObject(REFUSAL);
    expect(await takeEvents(database.client)).toEqual([]);
  });

  test("after an update, and for each statement", async () => {
    await ask("INSERT INTO items VALUES ('i')");
    await trigger(
      "AFTER UPDATE ON items FOR EACH ROW WHEN (new.label = 'x')",
      "DELETE FROM items WHERE id = new.id;",
    );
    await expect(ask("UPDATE items SET label = 'x'")).rejects.toMatchObject(REFUSAL);
    await ask("DROP FUNCTION public.step CASCADE");
    await trigger(
      "AFTER INSERT ON items REFERENCING NEW TABLE AS added FOR EACH STATEMENT",
      "UPDATE items SET label = 'late' WHERE id IN (SELECT id FROM added);",
    );
    await expect(ask("INSERT INTO items VALUES ('k'), ('l')")).rejects.toMatchObject(REFUSAL);
  });
});

describe("all other writes of triggers are emitted in order", () => {
  test("other rows, in one statement and in later ones of the transaction", async () => {
    await trigger(
      "BEFORE INSERT ON items FOR EACH ROW",
      "UPDATE items SET chosen = false WHERE chosen; new.chosen := true; new.label := 'set';",
    );
    await ask(
      "BEGIN; INSERT INTO items VALUES ('a'); INSERT INTO items VALUES ('b'); UPDATE items SET label = 'x'; COMMIT",
    );
    expect(brief(await takeEvents(database.client))).toEqual([
      "created a v1",
      "updated a v2",
      "created b v1",
      "updated a v3",
      "updated b v2",
    ]);
    await expect(ask("INSERT INTO items VALUES ('c'), ('d')")).rejects.toMatchObject(REFUSAL);
  });

  test("rows that a trigger of another table writes, any number of times", async () => {
    await ask("CREATE TABLE IF NOT EXISTS orders (id TEXT)");
    await trigger(
      "AFTER INSERT ON orders FOR EACH ROW",
      `INSERT INTO items VALUES (new.id) ON CONFLICT (id) DO UPDATE SET label = items.label || '+';
       UPDATE items SET chosen = NOT chosen WHERE id = new.id;`,
    );
    await ask("BEGIN; INSERT INTO orders VALUES ('o'), ('o'); UPDATE items SET label = ''; COMMIT");
    expect(brief(await takeEvents(database.client))).toEqual([
      "created o v1",
      "updated o v2",
      "updated o v3",
      "updated o v4",
      "updated o v5",
    ]);
  });
});
