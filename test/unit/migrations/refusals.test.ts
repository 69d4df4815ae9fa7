import { describe, expect, inject, test } from "vitest";
import { asOldGenerator, openDatabase, plan, shop } from "./support.js";

const table = (columns: string, rest = "") =>
  `items: { ${rest} columns: { id: { type: nanoid, key: true }, ${columns} } }`;

interface Case {
  readonly what: string;
  readonly from: string;
  readonly to: string;
  readonly code: string;
  /** What the message names. */
  readonly names: string;
}

const CASES: readonly Case[] = [
  {
    what: "dropping a table",
    from: `${table("a: text")}\nold: { columns: { id: { type: nanoid, key: true } } }`,
    to: table("a: text"),
    code: "drop-table",
    names: '"old"',
  },
  {
    what: "dropping a column",
    from: table("a: text, b: text"),
    to: table("a: text"),
    code: "drop-column",
    names: '"items.b"',
  },
  {
    what: "narrowing a type",
    from: table("a: bigint"),
    to: table("a: integer"),
    code: "narrow-type",
    names: '"items.a"',
  },
  {
    what: "parsing text",
    from: table("a: text"),
    to: table("a: timestamp"),
    code: "narrow-type",
    names: '"items.a"',
  },
  {
    what: "bigint to number, which merges neighbours past 2^53",
    from: table("a: bigint"),
    to: table("a: number"),
    code: "narrow-type",
    names: '"items.a"',
  },
  {
    what: "a new NOT NULL column without a default",
    from: table("a: text"),
    to: table("a: text, b: text"),
    code: "require-column",
    names: '"items.b"',
  },
  {
    what: "NOT NULL without a default",
    from: table("a: text?"),
    to: table("a: text"),
    code: "require-column",
    names: '"items.a"',
  },
  {
    what: "a new UNIQUE",
    from: table("a: text"),
    to: table("a: { type: text, unique: true }"),
    code: "restrict-rows",
    names: '"items.a"',
  },
  {
    what: "a new UNIQUE set",
    from: table("a: text, b: text"),
    to: table("a: text, b: text", "unique: [[a, b]],"),
    code: "restrict-rows",
    names: "a, b",
  },
  {
    what: "a UNIQUE set over a new column that has a default",
    from: table("a: text"),
    to: table("a: text, b: { type: text, default: x }", "unique: [[a, b]],"),
    code: "restrict-rows",
    names: "a, b",
  },
  {
    what: "a narrower one_of",
    from: table("a: { type: text, one_of: [x, y] }"),
    to: table("a: { type: text, one_of: [x] }"),
    code: "restrict-rows",
    names: "rows hold y",
  },
  {
    what: "a new one_of",
    from: table("a: text"),
    to: table("a: { type: text, one_of: [x] }"),
    code: "restrict-rows",
    names: '"items.a"',
  },
  {
    what: "a new reference",
    from: table("a: text"),
    to: table("a: { type: text, references: items }"),
    code: "restrict-rows",
    names: '"items.a"',
  },
  {
    what: "another key",
    from: table("a: text"),
    to: "items: { columns: { id: text, a: { type: text, key: true } } }",
    code: "change-key",
    names: '"items"',
  },
];

describe("destructive steps", () => {
  test.each(CASES)("$what is refused, and done when allowed", async ({ from, to, code, names }) => {
    const [previous, next] = [shop(from), shop(to)];
    const existing = plan(previous).files.shop ?? [];
    const refused = plan(next, { previous, existing });
    expect(refused.refusals.map((refusal) => refusal.code)).toEqual([code]);
    expect(refused.refusals[0]?.message).toContain(names);
    expect(refused.refusals[0]?.hint).not.toBe("");
    expect(refused.refusals[0]?.service).toBe("shop");
    expect(refused.files.shop).toEqual(existing);

    const allowed = plan(next, { previous, existing, allowDestructive: true });
    expect(allowed.refusals).toEqual([]);
    expect(allowed.files.shop).toHaveLength(2);
    const database = await openDatabase(inject("postgres"), allowed.files.shop);
    await database.close();
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
    const { refusals, files } = plan(shop(to), { previous, existing: plan(previous).files.shop ?? [] });
    expect(refusals).toEqual([]);
    expect(files.shop).toHaveLength(2);
  });

  test("two columns that swap names are refused even when destructive steps are allowed", () => {
    const previous = shop(table("a: text, b: text"));
    const next = shop(table("a: { type: text, renamed_from: b }, b: { type: text, renamed_from: a }"));
    const existing = plan(previous).files.shop ?? [];
    const { refusals } = plan(next, { previous, existing, allowDestructive: true });
    expect(refusals.map((refusal) => refusal.code)).toEqual(["swap-names"]);
    expect(refusals[0]?.message).toContain("a to b");
  });

  test("migrations without the model they lead to are refused, unless they are what would be made anyway", () => {
    const next = shop(table("a: text"));
    const existing = (plan(next).files.shop ?? []).map(asOldGenerator);
    expect(plan(next, { existing }).refusals).toEqual([]);
    expect(plan(shop(table("b: text")), { existing }).refusals.map(({ code }) => code)).toEqual([
      "lost-model",
    ]);
  });
});

test("the plan is deterministic and survives the lock file", () => {
  const next = shop(table("a: text"));
  const existing = plan(next).files.shop ?? [];
  expect(plan(next)).toEqual(plan(next));
  const locked = JSON.parse(JSON.stringify(next));
  expect(plan(next, { previous: locked, existing }).files.shop).toEqual(existing);
});
