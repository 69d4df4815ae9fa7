import fc from "fast-check";
import type pg from "pg";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { compileValidator } from "../../generator/emit/validators/compile-validator.js";
import { CODE_POINTS, EQUAL, IS_MULTIPLE } from "../../generator/emit/validators/support.js";
import type { ColumnType, JsonSchema, JsonValue } from "../../generator/model/mesh.js";
import { withMeshSchema } from "../../generator/quote/sql.js";
import { translateSchema } from "../../generator/rules/translate-schema.js";
import { together } from "../../generator/rules/translation.js";
import { openDatabase, type TestDatabase } from "../support/migrations.js";

/*
 * What SQL says of a schema is what the emitted validator says: the same where it is said exactly, and otherwise
 * nothing that the validator lets pass is refused.
 */

let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await openDatabase(inject("postgres"), []);
  client = database.client;
});
afterAll(() => database.close());

const text = fc.array(fc.constantFrom(..."abAZ09 -_é😀\n"), { maxLength: 5 }).map((each) => each.join(""));
const whole = fc.oneof(fc.integer({ min: -20, max: 20 }), fc.integer());
const decimal = fc.oneof(
  fc.tuple(fc.integer({ min: -300, max: 300 }), fc.constantFrom(1, 10, 100)).map(([n, d]) => n / d),
  // Beyond 10^22 PostgreSQL and JavaScript write a few doubles with other digits: 1e23.
  fc.double({ noNaN: true, min: -1e15, max: 1e15 }),
);
const name = fc.constantFrom("a", "b", "it's", 'q"x', "\\", "toString");
const leaf: fc.Arbitrary<JsonValue> = fc.oneof(text, whole, decimal, fc.boolean(), fc.constant(null));
const document: fc.Arbitrary<JsonValue> = fc.oneof(
  leaf,
  fc.array(leaf, { maxLength: 4 }),
  fc.dictionary(name, leaf, { maxKeys: 4 }),
);

const CAST = {
  text: ["text", text],
  integer: ["integer", fc.integer()],
  bigint: ["bigint", fc.maxSafeInteger()],
  number: ["double precision", decimal],
  boolean: ["boolean", fc.boolean()],
  uuid: ["uuid", fc.uuid()],
  json: ["jsonb", document],
} as const satisfies Partial<Record<ColumnType, readonly [string, fc.Arbitrary<JsonValue>]>>;

const count = fc.integer({ min: 0, max: 4 });
const unit = fc.oneof(
  fc.constantFrom(1, 2, 3, 10, 0.5, 0.1, 0.01, 1e-7, 1e21),
  fc.integer({ min: 1, max: 9 }),
);
const typeName = fc.constantFrom("string", "integer", "number", "boolean", "array", "object", "null");
const keywords = {
  type: fc.oneof(typeName, fc.uniqueArray(typeName, { minLength: 1, maxLength: 3 })),
  enum: fc.array(document, { minLength: 1, maxLength: 4 }),
  const: document,
  minLength: count,
  maxLength: count,
  pattern: fc.constantFrom("^[a-z]+$", "\\d", "^\\w*$", "[^\\s]", "^.{1,3}$", "(a|b)\\1", "^\\p{L}+$"),
  minimum: fc.oneof(whole, decimal),
  maximum: fc.oneof(whole, decimal),
  exclusiveMinimum: fc.oneof(whole, decimal),
  exclusiveMaximum: fc.oneof(whole, decimal),
  multipleOf: unit,
  required: fc.uniqueArray(name, { maxLength: 2 }),
  additionalProperties: fc.oneof(fc.boolean(), fc.constant({}), fc.constant({ type: "string" })),
  properties: fc.dictionary(name, fc.oneof(fc.constant({}), fc.constant({ type: "string" })), { maxKeys: 3 }),
  minItems: count,
  maxItems: count,
  uniqueItems: fc.boolean(),
  minProperties: count,
  items: fc.constantFrom<JsonValue>({ type: "string" }, { not: {} }, {}, true),
  prefixItems: fc.constantFrom<JsonValue>([{ type: "string" }], [false], [{}]),
  contains: fc.constantFrom<JsonValue>({}, { type: "string" }, { not: {} }),
  propertyNames: fc.constantFrom<JsonValue>({ maxLength: 1 }, { not: {} }, {}),
  maxProperties: count,
};
const few = fc
  .uniqueArray(fc.constantFrom(...Object.keys(keywords)), { minLength: 1, maxLength: 3 })
  .chain((names) =>
    fc
      .record(keywords)
      .map((all) => Object.fromEntries(Object.entries(all).filter(([key]) => names.includes(key)))),
  ) as fc.Arbitrary<JsonSchema>;
const schemas = fc.array(fc.oneof(few, fc.boolean() as fc.Arbitrary<JsonValue>), {
  minLength: 1,
  maxLength: 3,
});
const schema: fc.Arbitrary<JsonSchema> = fc.oneof(
  { arbitrary: few, weight: 6 },
  fc.record({ allOf: schemas }),
  fc.record({ anyOf: schemas }),
  fc.record({ oneOf: schemas }),
  fc.record({ not: few }),
) as fc.Arbitrary<JsonSchema>;

function validatorOf(rule: JsonSchema): (value: unknown) => boolean {
  const source = `${EQUAL}\n${CODE_POINTS}\n${IS_MULTIPLE}\nreturn ${compileValidator(rule)};`;
  return new Function(source)() as (value: unknown) => boolean;
}

async function sqlSays(condition: string, sqlType: string, values: readonly JsonValue[]): Promise<unknown[]> {
  const isJson = sqlType === "jsonb";
  const { rows } = await client.query<{ said: boolean }>(
    `SELECT (${withMeshSchema(condition, "mesh")}) AS said FROM (SELECT each::${sqlType} AS value, place
FROM unnest($1::text[]) WITH ORDINALITY AS given (each, place)) AS drawn ORDER BY place`,
    [values.map((value) => (isJson ? JSON.stringify(value) : String(value)))],
  );
  return rows.map(({ said }) => said);
}

const drawn = fc
  .constantFrom(...(Object.keys(CAST) as (keyof typeof CAST)[]))
  .chain((type) =>
    fc.tuple(
      fc.constant(type),
      schema,
      fc.array(CAST[type][1] as fc.Arbitrary<JsonValue>, { minLength: 8, maxLength: 12 }),
    ),
  );

test("SQL refuses nothing that the validator takes, and all that it refuses where the rule is said exactly", async () => {
  let exact = 0;
  await fc.assert(
    fc.asyncProperty(drawn, async ([type, rule, values]) => {
      const said = translateSchema(rule, { type }, "value");
      const condition = said.never ? "FALSE" : together(said);
      const validate = validatorOf(rule);
      const wanted = values.map((value) => validate(value));
      const found = await sqlSays(condition, CAST[type][0], values);
      if (said.exact) expect(found, condition).toEqual(wanted);
      else
        expect(
          found.map((each, at) => each || !wanted[at]),
          condition,
        ).not.toContain(false);
      if (said.exact) exact += 1;
    }),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 1_500) },
  );
  expect(exact).toBeGreaterThan(500);
}, 180_000);

test("a multiple is one of the decimals that are written, not of their doubles", () => {
  const cents = validatorOf({ multipleOf: 0.01 });
  expect([0.07, 0.1, 1.1, 33.33, 0, -4.35, 1e21].map(cents)).not.toContain(false);
  expect([0.001, 0.015, 1e-7].map(cents)).not.toContain(true);
});
