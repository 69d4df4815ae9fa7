import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { drawSamples } from "../../../generator/cli/simulate/samples.js";
import { payloadProperties, requiredFields } from "../../../generator/emit/json-schema/event.js";
import { compileValidator } from "../../../generator/emit/validators/compile-validator.js";
import { CODE_POINTS } from "../../../generator/emit/validators/support.js";
import { expandReferences, namesIn } from "../../../generator/model/schema-references.js";
import { compile, readMesh } from "../../support/compile.js";
import { outputOf } from "../../support/generated-output.js";

const TEXT = readMesh("test/scenarios/emit/named-types/mesh.yaml");
const mesh = compile(TEXT);
const placed = mesh.events.find(({ name }) => name === "OrderPlaced");
if (placed === undefined) throw new Error("the scenario has no OrderPlaced");

const money = { amount: "10.50", currency: "EUR" };
const line = { article: "A1", price: money, tags: ["new"] };
const metadata = { event_id: "e", entity_id: "o", timestamp: 1, source: "sales" };
const message = { metadata, order_id: "o", total: money, lines: [line], history: [money] };

const REFUSED: Readonly<Record<string, object>> = {
  "a nested text of another pattern": { ...message, total: { ...money, currency: "euro" } },
  "a nested number where a decimal string is due": { ...message, total: { ...money, amount: 10.5 } },
  "a nested field that is missing": { ...message, lines: [{ article: "A1", tags: [] }] },
  "a value two types deep": { ...message, lines: [{ ...line, price: { ...money, amount: "x" } }] },
  "an optional type's wrong value": { ...message, address: { street: "Main", country: "Germany" } },
  "a `$ref` in a list": { ...message, history: [money, {}] },
  "null for a type that is required": { ...message, total: null },
};
const TAKEN: readonly object[] = [
  message,
  { ...message, address: null },
  { ...message, address: { street: "Main", country: "DE", email: "no format is checked" } },
  { ...message, lines: [{ ...line, discount: null, more: true }] },
];

describe("a payload of named types", () => {
  const compiled = compileValidator({
    properties: payloadProperties(placed),
    required: requiredFields(placed),
  });
  const emitted = new Function(`"use strict"; ${CODE_POINTS}\nreturn ${compiled};`)() as (
    data: unknown,
  ) => boolean;

  test.each(Object.entries(REFUSED))(
    "is refused with %s, by validator and by schema file",
    async (_, data) => {
      expect(emitted(data)).toBe(false);
      expect((await schemaFile())(data)).toBe(false);
    },
  );

  test("is taken where it fits, by validator and by schema file", async () => {
    for (const data of TAKEN) {
      expect(emitted(data)).toBe(true);
      expect((await schemaFile())(data)).toBe(true);
    }
  });
});

async function schemaFile() {
  const text = (await outputOf(TEXT))["schemas/OrderPlaced.schema.json"] ?? "";
  return new Ajv2020({ strict: false, validateFormats: false }).compile(JSON.parse(text));
}

test("types.ts is emitted only where there are types", async () => {
  expect(await outputOf(TEXT)).toHaveProperty(["types.ts"]);
  expect(await outputOf(readMesh())).not.toHaveProperty(["types.ts"]);
});

test("a type called like what events.ts imports keeps its name", async () => {
  const output = await outputOf(TEXT.replaceAll("Money", "MeshEvent"));
  expect(output["sales/events.ts"]).toContain('import type { Address, Line, MeshEvent } from "../types.js"');
  expect(output["sales/events.ts"]).toContain("MeshEvent as MeshEvent_");
});

test("the simulator draws documents that fit the types", () => {
  const { samples, missing } = drawSamples(mesh);
  expect(missing).toEqual([]);
  const totals = samples.sales?.orders?.total ?? [];
  expect(totals.length).toBeGreaterThan(0);
  for (const text of totals) expect(JSON.parse(text)).toMatchObject({ amount: expect.any(String) });
});

test("a `$ref` is read where a schema stands, not in a value or a property's name", () => {
  const schema = {
    properties: { $ref: { $ref: "#/$defs/Money" }, fixed: { const: { $ref: "#/$defs/None" } } },
  };
  expect(namesIn(schema)).toEqual(["Money"]);
  expect(expandReferences(schema, () => ({ type: "object" }))).toEqual({
    properties: { $ref: { type: "object" }, fixed: { const: { $ref: "#/$defs/None" } } },
  });
});

test("definitions of a file that hold each other end", () => {
  const definitions = new Map([
    ["A", { properties: { b: { $ref: "#/$defs/B" } } }],
    ["B", { properties: { a: { $ref: "#/$defs/A" } } }],
  ]);
  expect(expandReferences({ $ref: "#/$defs/A" }, (name) => definitions.get(name))).toEqual({
    properties: { b: { properties: { a: {} } } },
  });
});
