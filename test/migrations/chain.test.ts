import { describe, expect, inject, test } from "vitest";
import type { PlannedMigration } from "../../generator/migrations/plan.js";
import type { Mesh } from "../../generator/model/mesh.js";
import { readCatalog } from "../support/catalog.js";
import { applyFiles, chain, openDatabase, plainName, plan, shop, templates } from "../support/migrations.js";

/*
 * The independent check of the differ: whatever leads from one model to the other, the catalogs
 * afterwards are those of a database made from the last model alone.
 */

const SUBJECTS = `
shop.item.{id}.created: { event: ItemCreated, emit: { table: items, on: insert }, payload: { id: string, name: string } }
shop.item.{id}.updated: { event: ItemUpdated, emit: { table: items, on: update }, payload: { id: string, name: string } }
shop.item.{id}.deleted: { event: ItemDeleted, emit: { table: items, on: delete }, payload: { id: string } }`;

const ITEMS = "items: { columns: { id: { type: nanoid, key: true }, name: text } }";
const items = (more: string, rest = "") =>
  `items:\n  columns:\n    id: { type: nanoid, key: true }\n    name: text\n    ${more}\n${rest}`;

async function expectFresh(files: readonly PlannedMigration[], model: Mesh): Promise<void> {
  const chained = await openDatabase(inject("postgres"), files);
  const fresh = await openDatabase(inject("postgres"), chain([model]));
  expect(await readCatalog(chained.client)).toEqual(await readCatalog(fresh.client));
  await Promise.all([chained.close(), fresh.close()]);
}

interface Case {
  readonly what: string;
  readonly from: readonly [tables: string, subjects?: string];
  readonly to: readonly [tables: string, subjects?: string];
  /** Before the migration, and what must be true of the data afterwards. */
  readonly rows?: string;
  readonly holds?: string;
  readonly name?: string;
}

const CASES: readonly Case[] = [
  {
    what: "a new column",
    from: [ITEMS],
    to: [items("price: { type: integer, default: 7 }")],
    rows: "INSERT INTO items VALUES ('a', 'A')",
    holds: "SELECT price = 7 FROM items",
    name: "0002_add_items_price.sql",
  },
  {
    what: "a dropped column",
    from: [items("price: integer?")],
    to: [ITEMS],
    name: "0002_drop_items_price.sql",
  },
  {
    what: "a renamed column with everything that stands on it",
    from: [
      items(
        "code: { type: text, unique: true, one_of: [x, y] }",
        "  indexes: [[code, name]]\n  unique: [[code, name]]",
      ),
    ],
    to: [
      items(
        "sku: { type: text, unique: true, one_of: [x, y], renamed_from: code }",
        "  indexes: [[sku, name]]\n  unique: [[sku, name]]",
      ),
    ],
    rows: "INSERT INTO items VALUES ('a', 'A', 'x')",
    holds: "SELECT sku = 'x' FROM items",
    name: "0002_rename_items_code_to_sku.sql",
  },
  {
    what: "a renamed payload column",
    from: [ITEMS, SUBJECTS],
    to: [
      "items: { columns: { id: { type: nanoid, key: true }, title: { type: text, renamed_from: name } } }",
      SUBJECTS.replaceAll("name: string", "title: string"),
    ],
    rows: "INSERT INTO items VALUES ('a', 'A')",
    holds: "SELECT title = 'A' FROM items",
  },
  {
    what: "a renamed table with its events, keys and indexes",
    from: [items("owner: text?", "  indexes: [[owner]]\n  unique: [[name, owner]]"), SUBJECTS],
    to: [
      `things:\n  renamed_from: items\n${items("owner: text?", "  indexes: [[owner]]\n  unique: [[name, owner]]").replace("items:\n", "")}`,
      SUBJECTS.replaceAll("table: items", "table: things"),
    ],
    rows: "INSERT INTO items VALUES ('a', 'A', 'o')",
    holds: "SELECT owner = 'o' FROM things",
    name: "0002_rename_items_to_things.sql",
  },
  {
    what: "renamed columns in a row: a to b, b to c",
    from: ["items: { columns: { id: { type: nanoid, key: true }, a: text?, b: text? } }"],
    to: [
      "items: { columns: { id: { type: nanoid, key: true }, b: { type: text, null: true, renamed_from: a }, c: { type: text, null: true, renamed_from: b } } }",
    ],
    rows: "INSERT INTO items VALUES ('1', 'was a', 'was b')",
    holds: "SELECT b = 'was a' AND c = 'was b' FROM items",
  },
  {
    what: "a renamed key that others reference",
    from: [
      `${ITEMS}\nparts: { columns: { part_id: { type: nanoid, key: true }, item: { type: text, references: items } } }`,
    ],
    to: [
      `items: { columns: { item_id: { type: nanoid, key: true, renamed_from: id }, name: text } }
parts: { columns: { part_id: { type: nanoid, key: true }, item: { type: text, references: items } } }`,
    ],
    rows: "INSERT INTO items VALUES ('a', 'A'); INSERT INTO parts VALUES ('p', 'a')",
    holds: "SELECT item_id = 'a' FROM items JOIN parts ON item = item_id",
  },
  {
    what: "widening with a default",
    from: [
      items("n: { type: integer, default: 1 }\n    m: { type: integer, default: 1 }\n    at: timestamp?"),
    ],
    to: [items('n: { type: bigint, default: 2 }\n    m: { type: text, default: "1" }\n    at: text?')],
    rows: "INSERT INTO items VALUES ('a', 'A', 41, 42, '2024-01-22 10:00:00.5')",
    holds: "SELECT n = 41 AND m = '42' AND at LIKE '2024-01-22%' FROM items",
    name:
      "0002_alter_items_n_and_alter_items_m_and_alter_items_at.sql".length > 60
        ? "0002_change_items.sql"
        : "",
  },
  {
    what: "a key that the database counts from now on, after the rows that are there",
    from: ["items: { columns: { id: { type: integer, key: true }, name: text } }"],
    to: ["items: { columns: { id: { type: bigint, key: true, identity: true }, name: text } }"],
    rows: "INSERT INTO items VALUES (41, 'A'), (-5, 'B')",
    holds: "WITH added AS (INSERT INTO items (name) VALUES ('C') RETURNING id) SELECT id = 42 FROM added",
  },
  {
    what: "a key that is counted no more, and one of a wider type that still is",
    from: [
      "items: { columns: { id: { type: integer, key: true, identity: true } } }\nparts: { columns: { id: { type: smallint, key: true, identity: true }, name: text } }",
    ],
    to: [
      "items: { columns: { id: { type: integer, key: true } } }\nparts: { columns: { id: { type: integer, key: true, identity: true }, name: text } }",
    ],
    rows: "INSERT INTO parts (name) VALUES ('A')",
    holds: "WITH added AS (INSERT INTO parts (name) VALUES ('B') RETURNING id) SELECT id = 2 FROM added",
  },
  {
    what: "keys that are drawn from now on, and no more",
    from: [
      "items: { columns: { id: { type: uuid, key: true } } }\nparts: { columns: { id: { type: nanoid, key: true, default: nanoid } } }",
    ],
    to: [
      "items: { columns: { id: { type: uuid, key: true, default: uuid } } }\nparts: { columns: { id: { type: nanoid, key: true } } }",
    ],
  },
  {
    what: "types with limits and lists that widen, with defaults and events",
    from: [
      items(
        'n: { type: smallint, default: 1 }\n    p: { type: "numeric(10,2)", default: "0.50" }\n    c: { type: varchar(8), default: a }\n    t: { type: "varchar(8)[]", default: "[]" }\n    d: date?\n    one: text?\n    b: bytea?',
      ),
      SUBJECTS.replaceAll("name: string }", 'name: string, p: decimal, t: "string[]", d: "date?" }'),
    ],
    to: [
      items(
        'n: { type: integer, default: 2 }\n    p: { type: "numeric(12,2)", default: "1.50" }\n    c: { type: varchar(50), default: b }\n    t: { type: "text[]", default: \'["x"]\' }\n    d: timestamp?\n    one: text[]?\n    b: text?',
      ),
      SUBJECTS.replaceAll("name: string }", 'name: string, p: decimal, t: "string[]", d: "timestamp?" }'),
    ],
    rows: "INSERT INTO items VALUES ('a', 'A', 32767, 99999999.99, '12345678', '{12345678,b}', '2026-01-31', 'x', 'ab')",
    holds:
      "SELECT n = 32767 AND p = 99999999.99 AND c = '12345678' AND t = '{12345678,b}' AND d = '2026-01-31 00:00:00' AND one = '{x}' AND b = 'YWI=' FROM items",
  },
  {
    what: "a key of another type, referenced, with events",
    from: [
      `items: { columns: { id: { type: uuid, key: true }, name: text } }
parts: { columns: { part_id: { type: nanoid, key: true }, item: { type: uuid, references: items, on_delete: cascade } } }`,
      SUBJECTS,
    ],
    to: [
      `${ITEMS}\nparts: { columns: { part_id: { type: nanoid, key: true }, item: { type: text, references: items, on_delete: cascade } } }`,
      SUBJECTS,
    ],
    rows: `INSERT INTO items VALUES ('7b0a3a2e-58a5-4d0c-8d4e-1d2f6a3b4c5d', 'A');
           INSERT INTO parts VALUES ('p', '7b0a3a2e-58a5-4d0c-8d4e-1d2f6a3b4c5d')`,
    holds: "SELECT item = '7b0a3a2e-58a5-4d0c-8d4e-1d2f6a3b4c5d' FROM items JOIN parts ON item = id",
  },
  {
    what: "a new table with a key of several columns, and its events",
    from: [ITEMS, SUBJECTS],
    to: [
      `${ITEMS}\nstock: { key: [item, site], columns: { item: { type: text, references: items, on_delete: cascade }, site: integer, left: integer } }`,
      `${SUBJECTS}\nshop.stock.{id}.changed: { event: StockChanged, emit: { table: stock, on: [insert, update] }, payload: { item: string, site: integer, left: integer } }`,
    ],
    rows: "INSERT INTO items VALUES ('a', 'A')",
    holds: "SELECT count(*) = 0 FROM stock",
    name: "0002_create_stock.sql",
  },
  {
    what: "a key that gets a second column on a table with rows: they are other entities from then on",
    from: [items("site: { type: integer, default: 3 }"), SUBJECTS],
    to: [
      "items: { key: [id, site], columns: { id: text, name: text, site: { type: integer, default: 3 } } }",
      SUBJECTS,
    ],
    rows: "INSERT INTO items VALUES ('a', 'A', 3)",
    holds: "SELECT site = 3 FROM items",
  },
  {
    what: "another type and another name of a column of such a key",
    from: ["items: { key: [id, site], columns: { id: text, name: text, site: integer } }", SUBJECTS],
    to: [
      "items: { key: [id, place], columns: { id: text, name: text, place: { type: bigint, renamed_from: site } } }",
      SUBJECTS,
    ],
    rows: "INSERT INTO items VALUES ('a', 'A', 3)",
    holds: "SELECT place = 3 FROM items",
  },
  {
    what: "NULL no more, filled from the default, and the filling tells others",
    from: [items("note: text?"), SUBJECTS.replaceAll("name: string }", 'name: string, note: "string?" }')],
    to: [
      items('note: { type: text, default: "" }'),
      SUBJECTS.replaceAll("name: string }", "name: string, note: string }"),
    ],
    rows: "INSERT INTO items VALUES ('a', 'A', NULL)",
    holds: "SELECT note = '' AND (SELECT count(*) = 2 FROM mesh.outbox) FROM items",
  },
  { what: "NULL allowed", from: [items("note: text")], to: [items("note: text?")] },
  {
    what: "a default that goes",
    from: [items("n: { type: integer, default: 3 }")],
    to: [items("n: integer")],
  },
  {
    what: "one_of widened, and one_of gone",
    from: [items("a: { type: text, one_of: [x] }\n    b: { type: text, one_of: [x] }")],
    to: [items("a: { type: text, one_of: [x, y] }\n    b: text")],
    rows: "INSERT INTO items VALUES ('a', 'A', 'x', 'x')",
    holds: "SELECT a = 'x' FROM items",
  },
  {
    what: "one_of of numbers that comes, widens and goes",
    from: [
      items(
        'a: { type: smallint, one_of: [1] }\n    b: { type: bigint, one_of: [1, "9007199254740993"] }\n    c: "numeric(4,2)"',
      ),
    ],
    to: [
      items(
        'a: { type: smallint, one_of: [1, 2] }\n    b: bigint\n    c: { type: "numeric(4,2)", one_of: ["7.00"] }',
      ),
    ],
    rows: "INSERT INTO items VALUES ('a', 'A', 1, 9007199254740993, 7)",
    holds: "SELECT a = 1 AND b = 9007199254740993 FROM items",
  },
  {
    what: "conditions that come, change and go, of a column and of several",
    from: [
      items(
        "n: { type: integer, check: n > 0 }\n    m: { type: integer, check: m > 0 }\n    o: integer",
        "  checks: { in_order: n <= m, other: m <= o }",
      ),
    ],
    to: [
      items(
        "n: { type: integer, check: n > -5 }\n    m: integer\n    o: { type: integer, check: o < 100 }",
        "  checks: { in_order: n <= o }",
      ),
    ],
    rows: "INSERT INTO items VALUES ('a', 'A', 1, 2, 3)",
    holds: "SELECT n = 1 AND m = 2 AND o = 3 FROM items",
  },
  {
    what: "a renamed column with its condition",
    from: [items("n: { type: integer, check: n > 0 }", "  checks: { named: n > 0 OR name <> '' }")],
    to: [
      items(
        "k: { type: integer, check: k > 0, renamed_from: n }",
        "  checks: { named: k > 0 OR name <> '' }",
      ),
    ],
    rows: "INSERT INTO items VALUES ('a', 'A', 1)",
    holds: "SELECT k = 1 FROM items",
  },
  {
    what: "a dropped column that a condition named",
    from: [items("n: integer\n    m: integer", "  checks: { in_order: n <= m }")],
    to: [items("n: integer")],
    rows: "INSERT INTO items VALUES ('a', 'A', 1, 2)",
    holds: "SELECT n = 1 FROM items",
  },
  {
    what: "unique and indexes that come and go",
    from: [items("a: { type: text, unique: true }\n    b: text", "  indexes: [[b]]")],
    to: [items("a: text\n    b: { type: text, unique: true }", "  indexes: [[a]]\n  unique: [[a, b]]")],
  },
  {
    what: "another ON DELETE",
    from: [
      `${ITEMS}\nparts: { columns: { p: { type: nanoid, key: true }, item: { type: text, references: items } } }`,
    ],
    to: [
      `${ITEMS}\nparts: { columns: { p: { type: nanoid, key: true }, item: { type: text, references: items, on_delete: cascade } } }`,
    ],
  },
  {
    what: "new tables that refer to each other, and one to itself",
    from: [ITEMS],
    to: [
      `${ITEMS}
a_side: { columns: { a: { type: nanoid, key: true }, other: { type: text, null: true, references: b_side }, up: { type: text, null: true, references: a_side, on_delete: set_null } } }
b_side: { columns: { b: { type: nanoid, key: true }, other: { type: text, null: true, references: a_side } } }`,
    ],
  },
  {
    what: "dropped tables that refer to each other",
    from: [
      `${ITEMS}
a_side: { columns: { a: { type: nanoid, key: true }, other: { type: text, null: true, references: b_side } } }
b_side: { columns: { b: { type: nanoid, key: true }, other: { type: text, null: true, references: a_side } } }`,
    ],
    to: [ITEMS],
  },
  {
    what: "a dropped table that a kept one referenced, with its events",
    from: [
      `${ITEMS}\nparts: { columns: { p: { type: nanoid, key: true }, item: { type: text, references: items } } }`,
      SUBJECTS,
    ],
    to: ["parts: { columns: { p: { type: nanoid, key: true }, item: text } }"],
  },
  { what: "events that come", from: [ITEMS], to: [ITEMS, SUBJECTS] },
  { what: "events that go", from: [ITEMS, SUBJECTS], to: [ITEMS] },
  {
    what: "another key",
    from: [items("code: { type: text, unique: true }"), SUBJECTS],
    to: ["items: { columns: { id: text, name: text, code: { type: text, key: true } } }", SUBJECTS],
  },
  {
    what: "names that need quotes, and names that are too long",
    from: [ITEMS],
    to: [
      `${ITEMS}
order: { columns: { id: { type: nanoid, key: true }, select: { type: text, unique: true, one_of: ["it's", b] }, from: { type: text, references: items } } }
${"long_".repeat(8)}table: { unique: [[${"wide_".repeat(8)}a, ${"wide_".repeat(8)}b]], columns: { id: { type: nanoid, key: true }, ${"wide_".repeat(8)}a: { type: text, unique: true }, ${"wide_".repeat(8)}b: { type: text, one_of: [x] } } }`,
    ],
  },
];

describe("a chain of migrations and a fresh database have the same catalogs", () => {
  test.each(CASES)("$what", async ({ from, to, rows, holds, name }) => {
    const [before, after] = [shop(...from), shop(...to)];
    const files = chain([before, after]);
    expect(files).toHaveLength(2);
    if (name) expect(plainName(files[1]?.name ?? "")).toBe(name);
    const chained = await openDatabase(inject("postgres"), files.slice(0, 1));
    if (rows !== undefined) await chained.client.query(rows);
    await applyFiles(chained.client, files);
    const fresh = await openDatabase(inject("postgres"), chain([after]));
    const expected = await readCatalog(fresh.client);
    expect(expected.filter((line) => line.startsWith("column "))).not.toEqual([]);
    expect(await readCatalog(chained.client)).toEqual(expected);
    if (holds !== undefined) {
      const { rows: results } = await chained.client.query({ text: holds, rowMode: "array" });
      expect(results).toEqual([[true]]);
    }
    await Promise.all([chained.close(), fresh.close()]);
  });

  test("no difference means no file, also with renamed_from left in place", () => {
    const model = shop(items("sku: { type: text, renamed_from: code }"), SUBJECTS);
    const files = chain([shop(items("code: text"), SUBJECTS), model, model, model]);
    expect(files).toHaveLength(2);
  });

  test("a newer generator brings its functions to the databases that have the older ones", async () => {
    const model = shop(ITEMS, SUBJECTS);
    const emit =
      templates["sql/table_function.hbs"]?.replace("BEGIN\n", "BEGIN -- as it was printed once\n") ?? "";
    const older =
      plan(model, { templates: { ...templates, "sql/table_function.hbs": emit } }).files.shop ?? [];
    expect(older[0]?.text).toContain("as it was printed once");
    const { files } = plan(model, { existing: older });
    expect(files.shop?.map(({ name }) => plainName(name))).toEqual([
      "0001_initial.sql",
      "0002_events_of_items.sql",
    ]);
    expect(plan(model, { existing: files.shop ?? [] }).files).toEqual(files);
    await expectFresh(files.shop ?? [], model);
  });

  test("no migration ever says CASCADE but in ON DELETE CASCADE", () => {
    for (const { from, to } of CASES) {
      const text = chain([shop(...from), shop(...to)])
        .map((file) => file.text.replaceAll(/^-- model: .*$/gm, ""))
        .join("\n");
      expect(text.replaceAll("ON DELETE CASCADE", "")).not.toMatch(/\bCASCADE\b/);
    }
  });
});
