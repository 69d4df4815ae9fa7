import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { createSchema, patchSchema } from "../../../generator/emit/json-schema/body.js";
import { compileValidator, LINEAR_PATTERN } from "../../../generator/emit/validators/compile-validator.js";
import { CODE_POINTS, EQUAL, IS_MULTIPLE } from "../../../generator/emit/validators/support.js";
import type { Column, JsonSchema, Table } from "../../../generator/model/mesh.js";
import { linearPattern } from "../../../runtime/values/linear-pattern.js";
import { ROOT, readMesh } from "../../support/compile.js";
import { readTree } from "../../support/generated-output.js";

type Validate = (data: unknown) => boolean;

/** Runs the compiled text with nothing but the helpers beside it, and what it imports: no module, no `require`. */
function load(schema: JsonSchema): Validate {
  return new Function(
    LINEAR_PATTERN,
    `"use strict"; ${EQUAL}\n${CODE_POINTS}\n${IS_MULTIPLE}\nreturn ${compileValidator(schema)};`,
  )(linearPattern) as Validate;
}

const SCHEMAS: readonly JsonSchema[] = [
  { enum: [{ a: [1, { b: null }] }, [1, 2], "x", 3, null] },
  { const: { a: 1, b: [true] } },
  { type: "array", uniqueItems: true },
  { type: "array", uniqueItems: true, items: { type: "string" } },
  { type: "string", minLength: 2, maxLength: 3 },
  { type: "string", pattern: "^\\p{L}+$" },
  { type: "object", properties: { a: { type: "string" } }, required: ["a"], additionalProperties: false },
  // Ambiguous, so that they run on automata.
  { type: "string", pattern: "^([a-z0-9_]+)*$" },
  { type: "string", pattern: "^(?=.*[a-z])(?!ab).+$", minLength: 2 },
  { type: "array", items: { pattern: "(a|\\p{L})+1?$" } },
  { type: "object", propertyNames: { pattern: "^[a-z]$" }, minProperties: 1, maxProperties: 2 },
  { type: "object", properties: { constructor: { type: "string" } }, required: ["constructor", "toString"] },
  { anyOf: [{ type: "string" }, { type: "object", additionalProperties: { type: "integer" } }] },
  { oneOf: [{ type: "integer" }, { type: "number", minimum: 2 }] },
  { allOf: [{ type: "array" }, { contains: { const: 1 } }], not: { maxItems: 0 } },
  { type: "array", prefixItems: [{ type: "integer" }, { type: "string" }], items: false },
  {
    type: ["string", "null"],
    format: "email",
    unheardOf: true,
    description: 'require("ajv/dist/runtime/equal").default',
  },
  { type: "integer", multipleOf: 3, exclusiveMinimum: 0 },
  {},
];

const VALUES: readonly unknown[] = [
  null,
  true,
  0,
  1,
  2,
  3,
  2.5,
  6,
  -1,
  "",
  "x",
  "ab",
  "abc",
  "abcd",
  "🙂🙂",
  "🙂🙂🙂",
  "é1",
  [],
  [1],
  [1, "a"],
  [1, "a", 2],
  ["a", "a"],
  [1, 1],
  [{ a: 1 }, { a: 1 }],
  [{ a: 1 }, { a: 2 }],
  [[1], [1]],
  [null, null],
  {},
  { a: "x" },
  { a: 1 },
  { a: "x", b: 1 },
  { aa: 1 },
  { a: 1, b: [true] },
  { b: [true], a: 1 },
  { a: [1, { b: null }] },
  { a: 1, b: 2, c: 3 },
  { constructor: "x" },
  { constructor: "x", toString: 1 },
];

describe("a compiled validator", () => {
  test.each(SCHEMAS)("decides as ajv itself does: %j", (schema) => {
    const inherits = JSON.stringify(schema).includes("constructor");
    const ajv = new Ajv2020({ strict: false, validateFormats: false, ownProperties: inherits });
    const expected = ajv.compile(schema);
    const compiled = load(schema);
    for (const value of VALUES) expect([value, compiled(value)]).toEqual([value, expected(value)]);
  });

  test("says the pattern as it was written, whatever runs it", () => {
    const validate = load({ type: "string", pattern: "^(a+)+$" }) as Validate & {
      errors: readonly { readonly message: string }[];
    };
    expect(validate("b")).toBe(false);
    expect(validate.errors[0]?.message).toBe('must match pattern "^(a+)+$"');
    expect(compileValidator({ pattern: "^(a+)+$" })).toContain(`${LINEAR_PATTERN}(["`);
    expect(compileValidator({ pattern: "^a+$" })).not.toContain(LINEAR_PATTERN);
  });

  test("tells all reasons at once", () => {
    const validate = load({ properties: { a: { type: "string" }, b: { type: "string" } }, required: ["c"] });
    validate({ a: 1, b: 2 });
    expect((validate as Validate & { errors: unknown[] }).errors).toHaveLength(3);
  });

  test("imports nothing but types", () => {
    const trees = { ...readTree(`${ROOT}/generated`), ...readTree(`${ROOT}/test/scenarios/emit`) };
    const validators = Object.entries(trees).filter(([path]) => path.endsWith("/validators.compiled.ts"));
    expect(validators.length).toBeGreaterThan(5);
    for (const [, text] of validators) {
      expect(text).not.toMatch(/^import (?!type )|= require\(|import\(|\beval\(|new Function/m);
    }
  });
});

const column = (name: string, type: Column["type"], more: Partial<Column> = {}): Column => ({
  name,
  type,
  description: undefined,
  wide: undefined,
  anyJson: undefined,
  shown: undefined,
  filledBy: undefined,
  private: undefined,
  check: undefined,
  nullable: false,
  key: false,
  unique: false,
  local: undefined,
  default: undefined,
  defaulted: undefined,
  oneOf: undefined,
  references: undefined,
  renamedFrom: undefined,
  ...more,
});

const table: Table = {
  name: "things",
  at: undefined,
  existing: undefined,
  backfill: undefined,
  description: undefined,
  key: ["thing_id"],
  columns: [
    column("thing_id", "nanoid", { key: true }),
    column("title", "text"),
    column("note", "text", { nullable: true }),
    column("state", "text", { oneOf: ["on", "off"], default: { kind: "literal", value: "on" } }),
    column("mood", "text", { oneOf: ["good", "bad"], nullable: true }),
    column("size", "integer", { default: { kind: "literal", value: 0 } }),
    column("total", "bigint", { nullable: true }),
    column("rate", "number", { nullable: true }),
    column("open", "boolean", { nullable: true }),
    column("due_at", "timestamp", { nullable: true }),
    column("ref", "uuid", { nullable: true }),
    column("extra", "json", { nullable: true }),
  ],
  unique: [],
  indexes: [],
  checks: [],
  softDelete: undefined,
  renamedFrom: undefined,
  cache: undefined,
  names: { row: "ThingsRow", create: "NewThings", patch: "ThingsPatch", value: "things" },
};

describe("a request body", () => {
  const create = load(createSchema(table));
  const patch = load(patchSchema(table));

  test.each([
    [{ title: "a" }, true],
    [{ title: "a", thing_id: "V1StGXR8_Z5jdHi6B-myT" }, true],
    [{ title: "a", note: null, mood: null, due_at: null, extra: { any: ["thing"] } }, true],
    [{}, false],
    [{ title: null }, false],
    [{ title: "a", thing_id: "" }, false],
    [{ title: "a", unknown: 1 }, false],
    [[], false],
    [null, false],
  ])("creates: %j is %s", (body, valid) => {
    expect(create(body)).toBe(valid);
  });

  test.each([
    [{ title: "b" }, true],
    [{ note: null }, true],
    [{}, false],
    [{ thing_id: "other" }, false],
    [{ title: null }, false],
    [{ state: null }, false],
  ])("patches: %j is %s", (body, valid) => {
    expect(patch(body)).toBe(valid);
  });

  test.each([
    ["title", "a\u0000b", false],
    ["title", "two\nlines 🙂", true],
    ["state", "off", true],
    ["state", "offf", false],
    ["mood", "bad", true],
    ["size", 2 ** 31 - 1, true],
    ["size", 2 ** 31, false],
    ["size", -(2 ** 31), true],
    ["size", 1.5, false],
    ["size", "1", false],
    ["total", Number.MAX_SAFE_INTEGER, true],
    ["total", 2 ** 53, false],
    ["rate", 1.5, true],
    ["rate", "1.5", false],
    ["open", 0, false],
    ["due_at", "2024-01-22T12:00:00Z", true],
    ["due_at", "2024-01-22T12:00:00.123456+02:00", true],
    ["due_at", "2024-01-22", false],
    ["due_at", "2024-13-22T12:00:00Z", false],
    ["due_at", "2024-01-22T12:00:00", false],
    ["due_at", "tomorrow", false],
    ["due_at", 1705920000, false],
    ["ref", "0190b5e2-7d1c-7c3e-8a51-6f9d8f4b2a10", true],
    ["ref", "0190b5e2", false],
  ])("%s: %j is %s", (name, value, valid) => {
    expect(patch({ [name]: value })).toBe(valid);
    expect(create({ title: "a", [name]: value })).toBe(valid);
  });
});

test("the reference mesh validates no body of a table that only its events write", () => {
  expect(readMesh("generated/sfs/validators.compiled.ts")).not.toContain("UserCache");
});
