import type { ColumnType, JsonSchema, JsonValue } from "../model/mesh.js";
import { literal } from "../quote/sql.js";
import { translatePattern } from "./pattern.js";
import { allOf, anyOf, exactly, not, oneOf, type Said, UNSAID } from "./said.js";
import { type JsonType, openSubject, type Subject } from "./subject.js";

/*
 * A payload field's JSON Schema as a condition of PostgreSQL on the column that it shows. Of a document in a json
 * column its top level alone: what stands deeper, and what SQL cannot say exactly, is left to the validators of REST,
 * of the repositories and of the relay.
 */

/** `value`: the column as SQL; never NULL where the condition counts, for what may be NULL may be null in the message. */
export function translateSchema(schema: JsonSchema, type: ColumnType, value: string): Said {
  return saySchema(schema, openSubject(type, value));
}

function saySchema(schema: JsonValue, subject: Subject): Said {
  if (typeof schema === "boolean") return exactly(schema);
  if (!isSchema(schema)) return UNSAID;
  return allOf(Object.keys(schema).map((keyword) => sayKeyword(keyword, schema, subject)));
}

function isSchema(value: JsonValue | undefined): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

type Say = (operand: JsonValue, subject: Subject, schema: JsonSchema) => Said;

function sayKeyword(keyword: string, schema: JsonSchema, subject: Subject): Said {
  const say = Object.hasOwn(KEYWORDS, keyword) ? KEYWORDS[keyword] : undefined;
  const operand = schema[keyword];
  return say === undefined || operand === undefined ? UNSAID : say(operand, subject, schema);
}

const nothing: Say = () => exactly(true);

const KEYWORDS: Readonly<Record<string, Say>> = {
  title: nothing,
  description: nothing,
  default: nothing,
  examples: nothing,
  deprecated: nothing,
  type: (types, subject) => anyOf(listOf(types).map((type) => subject.is(type as JsonType))),
  const: (constant, subject) => subject.equalsOne([constant]),
  enum: (values, subject) => subject.equalsOne(listOf(values)),
  minLength: (least, subject) => subject.text((text) => exactly(`char_length(${text}) >= ${least}`)),
  maxLength: (most, subject) => subject.text((text) => exactly(`char_length(${text}) <= ${most}`)),
  pattern: (pattern, subject) => subject.text((text) => matches(text, String(pattern))),
  minimum: compared(">="),
  maximum: compared("<="),
  exclusiveMinimum: compared(">"),
  exclusiveMaximum: compared("<"),
  multipleOf: (unit, subject) => subject.number((number) => exactly(`${number.exact} % ${print(unit)} = 0`)),
  required: (names, subject) => subject.object((object) => hasKeys(object, listOf(names))),
  additionalProperties: (schema, subject, { properties }) =>
    subject.object((object) => hasOnly(object, schema, Object.keys(isSchema(properties) ? properties : {}))),
  minItems: (least, subject) => subject.array((array) => exactly(`jsonb_array_length(${array}) >= ${least}`)),
  maxItems: (most, subject) => subject.array((array) => exactly(`jsonb_array_length(${array}) <= ${most}`)),
  uniqueItems: (unique, subject) => (unique === false ? exactly(true) : subject.array(() => UNSAID)),
  properties: (schemas, subject) =>
    subject.object(() => (Object.values(schemas as JsonSchema).every(saysNothing) ? exactly(true) : UNSAID)),
  propertyNames: deeper("object"),
  minProperties: deeper("object"),
  maxProperties: deeper("object"),
  items: deeper("array"),
  prefixItems: deeper("array"),
  contains: deeper("array"),
  allOf: (schemas, subject) => allOf(listOf(schemas).map((schema) => saySchema(schema, subject))),
  anyOf: (schemas, subject) => anyOf(listOf(schemas).map((schema) => saySchema(schema, subject))),
  oneOf: (schemas, subject) => oneOf(listOf(schemas).map((schema) => saySchema(schema, subject))),
  not: (schema, subject) => not(saySchema(schema, subject)),
};

function listOf(value: JsonValue): readonly JsonValue[] {
  return Array.isArray(value) ? value : [value as JsonValue];
}

function compared(operator: string): Say {
  return (limit, subject) => subject.number(({ plain }) => exactly(`${plain} ${operator} ${print(limit)}`));
}

/** A limit of a number: JavaScript prints the shortest text that means it, and SQL reads exactly that. */
function print(limit: JsonValue): string {
  return String(limit);
}

function matches(text: string, pattern: string): Said {
  const translated = translatePattern(pattern);
  return translated === undefined ? UNSAID : exactly(`${text} ~ ${literal(translated)}`);
}

/** Only a document has what this speaks of; there it is more than a condition of one level says. */
function deeper(kind: "object" | "array"): Say {
  return (_, subject) => subject[kind](() => UNSAID);
}

const saysNothing = (schema: JsonValue): boolean => schema === true || (isSchema(schema) && isEmpty(schema));

function isEmpty(schema: JsonSchema): boolean {
  return Object.keys(schema).length === 0;
}

/** No document of PostgreSQL has a key with a NUL or half of a surrogate pair in it. */
function hasKeys(object: string, names: readonly JsonValue[]): Said {
  const texts = names.map(String);
  if (texts.some((name) => !isStorable(name))) return exactly(false);
  return exactly(texts.length === 0 || `${object} ?& ARRAY[${texts.map(literal).join(", ")}]`);
}

function hasOnly(object: string, schema: JsonValue, names: readonly string[]): Said {
  if (saysNothing(schema)) return exactly(true);
  if (schema !== false) return UNSAID;
  const known = names.filter(isStorable).map(literal).join(", ");
  return exactly(`${object} - ARRAY[${known}]::text[] = '{}'::jsonb`);
}

export function isStorable(text: string): boolean {
  return !/[\0\p{Surrogate}]/u.test(text);
}
