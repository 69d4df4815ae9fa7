import fc from "fast-check";
import type { JsonSchema, JsonValue } from "../../model/mesh.js";
import { isSchema } from "../../model/schema-references.js";

/**
 * Values that a JSON Schema is likely to take; whether it does is for a validator to say. What a keyword demands
 * that is not drawn for here shows in none of them fitting.
 */
export function drawnFrom(schema: JsonValue): fc.Arbitrary<JsonValue> {
  if (!isSchema(schema)) return fc.constant("any");
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (Array.isArray(schema.enum)) return fc.constantFrom(...(schema.enum as JsonValue[]));
  for (const branches of [schema.anyOf, schema.oneOf]) {
    if (Array.isArray(branches)) return oneOf(branches.map((branch) => drawnFrom(merged(schema, branch))));
  }
  if (Array.isArray(schema.allOf)) {
    return drawnFrom((schema.allOf as JsonValue[]).reduce<JsonSchema>(merged, { ...schema, allOf: null }));
  }
  return oneOf(typesOf(schema).map((type) => DRAW[type]?.(schema) ?? fc.constant(null)));
}

function oneOf(choices: readonly fc.Arbitrary<JsonValue>[]): fc.Arbitrary<JsonValue> {
  return choices.length === 0 ? fc.constant(null) : fc.oneof(...choices);
}

/** Both at once, as far as their keywords differ. */
function merged(one: JsonSchema, other: JsonValue): JsonSchema {
  const { anyOf, oneOf: _, ...rest } = one;
  return isSchema(other) ? { ...rest, ...other } : rest;
}

/** Where none is said, the one that its keywords are about. */
function typesOf(schema: JsonSchema): readonly string[] {
  const { type } = schema;
  if (type !== undefined && type !== null) return (Array.isArray(type) ? type : [type]).map(String);
  const has = (...keywords: string[]) => keywords.some((keyword) => schema[keyword] !== undefined);
  if (has("properties", "required", "minProperties")) return ["object"];
  if (has("items", "prefixItems", "contains", "minItems")) return ["array"];
  if (has("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")) return ["number"];
  return ["string"];
}

type Draw = (schema: JsonSchema) => fc.Arbitrary<JsonValue>;

const DRAW: Readonly<Record<string, Draw>> = {
  string: drawString,
  integer: (schema) => drawNumber(schema, 1),
  number: (schema) => drawNumber(schema, 0.5),
  boolean: () => fc.boolean(),
  null: () => fc.constant(null),
  array: (schema) =>
    fc.array(drawnFrom(schema.items ?? true), {
      minLength: numberOf(schema.minItems, 0),
      maxLength: Math.max(numberOf(schema.minItems, 0), Math.min(numberOf(schema.maxItems, 3), 5)),
    }),
  object: drawObject,
};

/** A word of each length that is allowed, or what the pattern matches. */
function drawString({ pattern, minLength, maxLength }: JsonSchema): fc.Arbitrary<JsonValue> {
  const least = numberOf(minLength, 1);
  const most = Math.max(least, Math.min(numberOf(maxLength, least + 8), least + 8));
  const letters = fc.constantFrom(..."abcdefghij0123456789");
  if (typeof pattern !== "string")
    return fc.array(letters, { minLength: least, maxLength: most }).map((all) => all.join(""));
  try {
    return fc.stringMatching(new RegExp(pattern, "u"), { size: "small" });
  } catch {
    // Of the little that it cannot draw, words may still match.
    return fc.array(letters, { minLength: least, maxLength: most }).map((all) => all.join(""));
  }
}

function drawNumber(schema: JsonSchema, otherwise: number): fc.Arbitrary<JsonValue> {
  const unit = numberOf(schema.multipleOf, otherwise);
  const lowest = numberOf(schema.minimum, numberOf(schema.exclusiveMinimum, Number.NaN));
  const highest = numberOf(schema.maximum, numberOf(schema.exclusiveMaximum, Number.NaN));
  const least = Number.isNaN(lowest) ? (Number.isNaN(highest) ? 0 : highest - 100 * unit) : lowest;
  const most = Number.isNaN(highest) ? least + 100 * unit : highest;
  const [from, to] = [Math.ceil(least / unit), Math.floor(most / unit)];
  // By the unit's own decimals: 3 times 0.1 is 0.30000000000000004.
  const digits = String(unit).split(".")[1]?.length ?? 0;
  return fc
    .integer({ min: from, max: Math.max(from, to) })
    .map((times) => Number((times * unit).toFixed(digits)));
}

function drawObject({ properties, required }: JsonSchema): fc.Arbitrary<JsonValue> {
  const known = isSchema(properties) ? properties : {};
  const needed = Array.isArray(required) ? required.map(String) : [];
  const names = new Set([...Object.keys(known), ...needed]);
  const model = Object.fromEntries([...names].map((name) => [name, drawnFrom(known[name] ?? true)]));
  return fc.record(model, { requiredKeys: needed, noNullPrototype: true }) as fc.Arbitrary<JsonValue>;
}

function numberOf(value: JsonValue | undefined, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}
