import type { JsonSchema, JsonValue } from "../model/mesh.js";
import { isSchema } from "../model/schema-references.js";

/*
 * Whether a schema still accepts all that it accepted before. Where that is not certain the answer is no: a warning too
 * many is read, one too few is a dead letter.
 */

const ANNOTATIONS = new Set([
  "$schema",
  "$id",
  "title",
  "description",
  "default",
  "examples",
  "$comment",
  "format",
]);
/** Keywords that demand less when they grow, and when they shrink. */
const UPPER = new Set(["maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties"]);
const LOWER = new Set(["minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties"]);

/** What the schema demands now and did not before; undefined: nothing. */
export function findNarrowing(before: JsonSchema, now: JsonSchema): string | undefined {
  const keywords = Object.keys(now).filter((keyword) => !ANNOTATIONS.has(keyword));
  for (const keyword of keywords) {
    const demand = isObjectKeyword(keyword)
      ? findInObject(before, now)
      : keyword === "items" && isSchema(before.items) && isSchema(now.items)
        ? findInItems(before.items, now.items)
        : isWider(keyword, impliedBy(before, keyword), now[keyword]) ||
            takesAll(before, keyword, now[keyword])
          ? undefined
          : describe(keyword, now[keyword]);
    if (demand !== undefined) return demand;
  }
  return undefined;
}

/** Whether the values that the schema lists keep to a limit. A pattern is not tried: it may take for ever. */
function takesAll(schema: JsonSchema, keyword: string, limit: JsonValue | undefined): boolean {
  const values = schema.const === undefined ? listOf(schema.enum) : [schema.const];
  return values.length > 0 && values.every((value) => keepsTo(value, keyword, limit));
}

function keepsTo(value: JsonValue, keyword: string, limit: JsonValue | undefined): boolean {
  if (typeof limit !== "number") return false;
  switch (keyword) {
    case "maxLength":
      return typeof value !== "string" || [...value].length <= limit;
    case "minLength":
      return typeof value !== "string" || [...value].length >= limit;
    case "maximum":
      return typeof value !== "number" || value <= limit;
    case "minimum":
      return typeof value !== "number" || value >= limit;
    default:
      return false;
  }
}

/** What the schema says of the keyword; of values that it lists, what they have in common. */
function impliedBy(schema: JsonSchema, keyword: string): JsonValue | undefined {
  if (schema[keyword] !== undefined) return schema[keyword];
  const values = schema.const === undefined ? listOf(schema.enum) : [schema.const];
  if (values.length === 0) return undefined;
  if (keyword === "enum") return [...values];
  return keyword === "type" ? [...new Set(values.map(typeOf))] : undefined;
}

function typeOf(value: JsonValue): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value === "number" && Number.isInteger(value) ? "integer" : typeof value;
}

function isObjectKeyword(keyword: string): boolean {
  return keyword === "properties" || keyword === "required";
}

function findInObject(before: JsonSchema, now: JsonSchema): string | undefined {
  const added = listOf(now.required).find((name) => !listOf(before.required).includes(name));
  if (added !== undefined) return `that ${JSON.stringify(added)} is there`;
  const old = before.properties;
  for (const [name, schema] of Object.entries(isSchema(now.properties) ? now.properties : {})) {
    // What is new was not written before, and is missing rather than of another kind.
    const known = isSchema(old) && Object.hasOwn(old, name) ? old[name] : undefined;
    const demand = isSchema(known) && isSchema(schema) ? findNarrowing(known, schema) : undefined;
    if (demand !== undefined) return `of ${JSON.stringify(name)} ${demand}`;
  }
  return undefined;
}

function findInItems(before: JsonSchema, now: JsonSchema): string | undefined {
  const demand = findNarrowing(before, now);
  return demand === undefined ? undefined : `of each item ${demand}`;
}

function isWider(keyword: string, before: JsonValue | undefined, now: JsonValue | undefined): boolean {
  if (JSON.stringify(before) === JSON.stringify(now)) return true;
  // Whole numbers beyond these were never exact in JSON: a message that had one had another value than was meant.
  if (keyword === "minimum" && now === Number.MIN_SAFE_INTEGER) return true;
  if (keyword === "maximum" && now === Number.MAX_SAFE_INTEGER) return true;
  if (before === undefined) return false;
  if (keyword === "type") return typesOf(before).every((type) => takesType(typesOf(now), type));
  if (keyword === "enum") {
    const values = new Set(listOf(now).map((value) => JSON.stringify(value)));
    return listOf(before).every((value) => values.has(JSON.stringify(value)));
  }
  if (typeof before === "number" && typeof now === "number") {
    return (UPPER.has(keyword) && now >= before) || (LOWER.has(keyword) && now <= before);
  }
  return keyword === "additionalProperties" && before === false;
}

function takesType(types: readonly JsonValue[], type: JsonValue): boolean {
  return types.includes(type) || (type === "integer" && types.includes("number"));
}

function describe(keyword: string, now: JsonValue | undefined): string {
  return keyword === "type" ? `the type ${typesOf(now).join(" or ")}` : `${keyword} ${JSON.stringify(now)}`;
}

function typesOf(value: JsonValue | undefined): readonly JsonValue[] {
  return typeof value === "string" ? [value] : listOf(value);
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}
