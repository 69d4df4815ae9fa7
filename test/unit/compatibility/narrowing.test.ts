import { expect, test } from "vitest";
import { findNarrowing } from "../../../generator/compatibility/narrowing.js";

test.each([
  [{ type: "integer" }, { type: "number" }, undefined],
  [{ type: "number" }, { type: "integer" }, "the type integer"],
  [{ type: ["string", "null"] }, { type: "string" }, "the type string"],
  [{ enum: ["a"] }, { enum: ["a", "b"] }, undefined],
  [{ enum: ["a", "b"] }, { enum: ["a"] }, 'enum ["a"]'],
  [{ maxLength: 3 }, { maxLength: 5 }, undefined],
  [{ maxLength: 5 }, { maxLength: 3 }, "maxLength 3"],
  [{ minimum: 3 }, { minimum: 5 }, "minimum 5"],
  [{}, { pattern: "^a" }, 'pattern "^a"'],
  [{ pattern: "^a" }, {}, undefined],
  [{ description: "x" }, { description: "y" }, undefined],
  [{ additionalProperties: false }, { additionalProperties: true }, undefined],
  [{ items: { type: "string" } }, { items: { type: "number" } }, "of each item the type number"],
  [
    { properties: { a: { properties: { b: {} } } } },
    { properties: { a: { properties: { b: { type: "string" } } } } },
    'of "a" of "b" the type string',
  ],
  [{ enum: ["a"] }, { type: "string" }, undefined],
  [{ const: 1 }, { type: "number" }, undefined],
  [{ const: "a" }, { enum: ["a", "b"] }, undefined],
  [{ const: "a" }, { const: "b" }, 'const "b"'],
  [{ enum: ["EUR", "USD"] }, { type: "string", maxLength: 3 }, undefined],
  [{ enum: ["EUR", "euro"] }, { type: "string", maxLength: 3 }, "maxLength 3"],
  [{ enum: ["EUR", "USD"] }, { type: "string", minLength: 1 }, undefined],
  [{ enum: ["EUR", "euro"] }, { pattern: "^[A-Z]+$" }, 'pattern "^[A-Z]+$"'],
  [{ enum: [1, 5] }, { type: "number", minimum: 1, maximum: 5 }, undefined],
  [{ const: 6 }, { maximum: 5 }, "maximum 5"],
  [{ maxLength: 3 }, { enum: ["EUR", "USD"] }, 'enum ["EUR","USD"]'],
  [{ enum: ["a", 1] }, { type: "string" }, "the type string"],
  [{ required: ["a"] }, { required: ["a", "b"] }, 'that "b" is there'],
])("from %j to %j it demands %s", (before, now, demand) => {
  expect(findNarrowing(before, now)).toBe(demand);
});

test("the bounds of what a JSON number tells exactly are no demand", () => {
  const bounds = { minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER };
  expect(findNarrowing({ type: "integer" }, { type: "integer", ...bounds })).toBeUndefined();
  expect(findNarrowing({ type: "integer" }, { type: "integer", ...bounds, minimum: 0 })).toBe("minimum 0");
});
