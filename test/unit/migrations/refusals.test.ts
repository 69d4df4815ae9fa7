import { describe, expect, test } from "vitest";
import { DESTRUCTIVE_STEPS, itemsTable as table } from "../../support/destructive-steps.js";
import { asOldGenerator, plan, shop } from "../../support/migrations.js";

describe("destructive steps", () => {
  test.each(DESTRUCTIVE_STEPS)("$what is refused, and planned when allowed", ({ from, to, code, names }) => {
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
