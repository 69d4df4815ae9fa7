import { describe, expect, test } from "vitest";
import { compile } from "../../support/compile.js";
import { DESTRUCTIVE_STEPS, itemsTable as table } from "../../support/destructive-steps.js";
import { plan, shop } from "../../support/migrations.js";

/** Two services, of which the first keeps its tables in the PostgreSQL database of the second. */
const SHARED = `
mesh: shared
services:
  shop: { database: shop_db, publishes: [shop.*], http: { port: 8081 } }
  other: { database: other_db, publishes: [other.*], http: { port: 8082 } }
databases:
  shop_db:
    shares: other_db
    tables: { items: { columns: { item_id: { type: nanoid, key: true, default: nanoid } } } }
  other_db:
    tables: { others: { columns: { other_id: { type: nanoid, key: true } } } }
subjects:
  shop.item.{id}.created: { event: ItemCreated, emit: { table: items, on: insert }, payload: { item_id: nanoid } }
  other.other.{id}.created: { event: OtherCreated, emit: { table: others, on: insert }, payload: { other_id: nanoid } }
`;

describe("destructive steps", () => {
  test.each(DESTRUCTIVE_STEPS)("$what is refused, and planned when allowed", ({ from, to, code, names }) => {
    const [previous, next] = [shop(from), shop(to)];
    const existing = plan(previous).files.shop ?? [];
    const refused = plan(next, { existing });
    expect(refused.refusals.map((refusal) => refusal.code)).toEqual([code]);
    expect(refused.refusals[0]?.message).toContain(names);
    expect(refused.refusals[0]?.hint).not.toBe("");
    expect(refused.refusals[0]?.service).toBe("shop");
    expect(refused.files.shop).toEqual(existing);

    const allowed = plan(next, { existing, allowDestructive: true });
    expect(allowed.refusals).toEqual([]);
    expect(allowed.files.shop).toHaveLength(2);
  });

  const SAFE: readonly { readonly what: string; readonly from: string; readonly to: string }[] = [
    { what: "a column that may be NULL", from: table("a: text"), to: table("a: text, b: text?") },
    {
      what: "a column with a default",
      from: table("a: text"),
      to: table("a: text, b: { type: text, default: x }"),
    },
    {
      what: "NOT NULL with a default to fill in",
      from: table("a: text?"),
      to: table("a: { type: text, default: x }"),
    },
    { what: "a wider type", from: table("a: integer"), to: table("a: bigint") },
    {
      what: "a wider one_of",
      from: table("a: { type: text, one_of: [x] }"),
      to: table("a: { type: text, one_of: [y, x] }"),
    },
    {
      what: "UNIQUE over a new column full of NULLs",
      from: table("a: text"),
      to: table("a: text, b: { type: text, null: true, unique: true }"),
    },
    {
      what: "a reference from a new column full of NULLs",
      from: table("a: text"),
      to: table("a: text, b: { type: text, null: true, references: items }"),
    },
    { what: "a renamed column", from: table("a: text"), to: table("b: { type: text, renamed_from: a }") },
    {
      what: "another ON DELETE",
      from: table("a: { type: text, null: true, references: items }"),
      to: table("a: { type: text, null: true, references: items, on_delete: set_null }"),
    },
  ];
  test.each(SAFE)("$what needs no permission", ({ from, to }) => {
    const previous = shop(from);
    const { refusals, files } = plan(shop(to), { existing: plan(previous).files.shop ?? [] });
    expect(refusals).toEqual([]);
    expect(files.shop).toHaveLength(2);
  });

  test("two columns that swap names are refused even when destructive steps are allowed", () => {
    const previous = shop(table("a: text, b: text"));
    const next = shop(table("a: { type: text, renamed_from: b }, b: { type: text, renamed_from: a }"));
    const existing = plan(previous).files.shop ?? [];
    const { refusals } = plan(next, { existing, allowDestructive: true });
    expect(refusals.map((refusal) => refusal.code)).toEqual(["swap-names"]);
    expect(refusals[0]?.message).toContain("a to b");
  });

  test("what the mesh knows of a database does not move to another schema", () => {
    const own = compile(SHARED.replace("    shares: other_db\n", ""));
    const shared = compile(SHARED);
    for (const [from, to] of [
      [own, shared],
      [shared, own],
    ] as const) {
      const existing = plan(from).files.shop ?? [];
      expect(existing).toHaveLength(1);
      expect(plan(from, { existing }).files.shop).toEqual(existing);
      const { refusals, files } = plan(to, { existing, allowDestructive: true });
      expect(refusals).toMatchObject([{ code: "move-mesh", path: ["databases", "shop_db"] }]);
      expect(files.shop).toEqual(existing);
    }
  });

  test.each([
    ["-- follows: nothing\nSELECT 1;", "lost-model"],
    ["SELECT 1;", "migration-unplaced"],
  ])("a chain that a person began is refused: %s", (text, code) => {
    const existing = [{ name: "0001_initial.sql", text, sha256: "" }];
    expect(plan(shop(table("a: text")), { existing }).refusals.map((refusal) => refusal.code)).toEqual([
      code,
    ]);
  });
});

test("the plan is deterministic", () => {
  const next = shop(table("a: text"));
  const existing = plan(next).files.shop ?? [];
  expect(plan(next)).toEqual(plan(next));
  expect(plan(next, { existing }).files.shop).toEqual(existing);
});
