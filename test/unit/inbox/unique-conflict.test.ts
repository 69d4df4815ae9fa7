import { describe, expect, it } from "vitest";
import { DEFAULT } from "../../../runtime/database/columns.js";
import type { ColumnDefinition } from "../../../runtime/definition/table-definition.js";
import type { CacheModel } from "../../../runtime/inbox/consumer-model.js";
import type { Upsert } from "../../../runtime/inbox/plan-batch.js";
import {
  claimsOf,
  placeholderOf,
  withPlaceholder,
  yielding,
} from "../../../runtime/inbox/unique-conflict.js";

const columns: readonly ColumnDefinition[] = [
  { name: "username", type: "text", unique: true },
  { name: "display_name", type: "text" },
  { name: "number", type: "integer", unique: true, nullable: true },
  { name: "code", type: "integer", unique: true },
];
const table = { name: "user_cache", key: "user_id", columns: [] };
const cache = { table, columns } as unknown as CacheModel;
const row = (...cells: Upsert["cells"]): Upsert => ({ id: "a", seq: 7, cells, whole: true });

describe("a unique conflict", () => {
  it("can arise from each value of a unique column that the event carries", () => {
    expect(claimsOf(cache, row("ada", "Ada", 1, 2))).toEqual([
      { index: 0, value: "ada" },
      { index: 2, value: 1 },
      { index: 3, value: 2 },
    ]);
    expect(claimsOf(cache, row(undefined, "Ada", null, DEFAULT))).toEqual([]);
  });

  it.each([
    [6, "holder"],
    [7, "holder"],
    [8, "claimant"],
    [null, "holder"],
  ] as const)("between a holder at sequence %j and a claim at 7 lets the %s yield", (holderSeq, who) => {
    expect(yielding(holderSeq, 7)).toBe(who);
  });

  it("leaves the row that yields a placeholder value, and its other values", () => {
    expect(withPlaceholder(cache, row("ada", "Ada", 1, 2), 0).cells).toEqual(["superseded:a", "Ada", 1, 2]);
    expect(withPlaceholder(cache, row("ada", "Ada", 1, 2), 2).cells).toEqual(["ada", "Ada", null, 2]);
  });

  it("leaves a placeholder that the column has room for: the id where it fits, else a hash of it", () => {
    const placeholder = (type: ColumnDefinition["type"], id: string) =>
      placeholderOf({ ...cache, columns: [{ name: "code", type, unique: true }] }, 0, id);
    expect(placeholder("varchar(12)", "a")).toBe("superseded:a");
    const [one, other] = [`${"x".repeat(60)}1`, `${"x".repeat(60)}2`].map((id) =>
      placeholder("varchar(40)", id),
    );
    expect(one).toMatch(/^superseded:[\w-]{29}$/);
    expect(other).not.toBe(one);
  });

  it("cannot be settled in a column without room for a placeholder that is not nullable", () => {
    const none = "user_cache.code is unique, not nullable, and has no room for a placeholder";
    expect(() => placeholderOf(cache, 3, "a")).toThrow(none);
    const short = { ...cache, columns: [{ name: "code", type: "varchar(20)", unique: true } as const] };
    expect(() => placeholderOf(short, 0, "x".repeat(60))).toThrow(none);
  });
});
