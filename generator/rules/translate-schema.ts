import type { JsonSchema, JsonValue } from "../model/mesh.js";
import { isSchema } from "../model/schema-references.js";
import { literal } from "../quote/sql.js";
import { type CheckedValue, checkedColumn, type JsonType, type TypedColumn } from "./checked-value.js";
import { translatePattern } from "./translate-pattern.js";
import { allOf, anyOf, exactly, not, oneOf, type Translation, UNTRANSLATED } from "./translation.js";

/*
 * A payload field's JSON Schema as a condition of PostgreSQL on the column that it shows. Of a document in a json
 * column its top level alone: what stands deeper, and what SQL cannot say exactly, is left to the validators of REST,
 * of the repositories and of the relay.
 */

/** `value`: the column as SQL; never NULL where the condition counts, for what may be NULL may be null in the message. */
export function translateSchema(schema: JsonSchema, column: TypedColumn, value: string): Translation {
  return translateFor(schema, checkedColumn(column, value));
}

function translateFor(schema: JsonValue, checked: CheckedValue): Translation {
  if (typeof schema === "boolean") return exactly(schema);
  if (!isSchema(schema)) return UNTRANSLATED;
  return allOf(Object.keys(schema).map((keyword) => translateKeyword(keyword, schema, checked)));
}

type TranslateKeyword = (operand: JsonValue, checked: CheckedValue, schema: JsonSchema) => Translation;

function translateKeyword(keyword: string, schema: JsonSchema, checked: CheckedValue): Translation {
  const translate = Object.hasOwn(KEYWORDS, keyword) ? KEYWORDS[keyword] : undefined;
  const operand = schema[keyword];
  return translate === undefined || operand === undefined
    ? UNTRANSLATED
    : translate(operand, checked, schema);
}

const always: TranslateKeyword = () => exactly(true);

const KEYWORDS: Readonly<Record<string, TranslateKeyword>> = {
  title: always,
  description: always,
  default: always,
  examples: always,
  deprecated: always,
  format: always,
  type: (types, checked) => anyOf(listOf(types).map((type) => checked.is(type as JsonType))),
  const: (constant, checked) => checked.equalsOne([constant]),
  enum: (values, checked) => checked.equalsOne(listOf(values)),
  minLength: (least, checked) =>
    checked.text((text) => exactly(`pg_catalog.char_length(${text}) >= ${least}`)),
  maxLength: (most, checked) => checked.text((text) => exactly(`pg_catalog.char_length(${text}) <= ${most}`)),
  pattern: (pattern, checked) => checked.text((text) => matches(text, String(pattern))),
  minimum: compared(">="),
  maximum: compared("<="),
  exclusiveMinimum: compared(">"),
  exclusiveMaximum: compared("<"),
  multipleOf: (unit, checked) => checked.number((number) => exactly(`${number.exact} % ${print(unit)} = 0`)),
  required: (names, checked) => checked.object((object) => hasKeys(object, listOf(names))),
  additionalProperties: (schema, checked, { properties }) =>
    checked.object((object) => hasOnly(object, schema, Object.keys(isSchema(properties) ? properties : {}))),
  minItems: (least, checked) =>
    checked.array((array) => exactly(`pg_catalog.jsonb_array_length(${array}) >= ${least}`)),
  maxItems: (most, checked) =>
    checked.array((array) => exactly(`pg_catalog.jsonb_array_length(${array}) <= ${most}`)),
  uniqueItems: (unique, checked) => (unique === false ? exactly(true) : checked.array(() => UNTRANSLATED)),
  properties: (schemas, checked) =>
    checked.object(() =>
      Object.values(schemas as JsonSchema).every(allowsAll) ? exactly(true) : UNTRANSLATED,
    ),
  propertyNames: deeper("object"),
  minProperties: deeper("object"),
  maxProperties: deeper("object"),
  items: deeper("array"),
  prefixItems: deeper("array"),
  contains: deeper("array"),
  allOf: (schemas, checked) => allOf(listOf(schemas).map((schema) => translateFor(schema, checked))),
  anyOf: (schemas, checked) => anyOf(listOf(schemas).map((schema) => translateFor(schema, checked))),
  oneOf: (schemas, checked) => oneOf(listOf(schemas).map((schema) => translateFor(schema, checked))),
  not: (schema, checked) => not(translateFor(schema, checked)),
};

function listOf(value: JsonValue): readonly JsonValue[] {
  return Array.isArray(value) ? value : [value as JsonValue];
}

function compared(operator: string): TranslateKeyword {
  return (limit, checked) => checked.number(({ plain }) => exactly(`${plain} ${operator} ${print(limit)}`));
}

/** A limit of a number: JavaScript prints the shortest text that means it, and SQL reads exactly that. */
function print(limit: JsonValue): string {
  return String(limit);
}

function matches(text: string, pattern: string): Translation {
  const translated = translatePattern(pattern);
  return translated === undefined ? UNTRANSLATED : exactly(`${text} ~ ${literal(translated)}`);
}

/** Only a document has what this speaks of; there it is more than a condition of one level says. */
function deeper(kind: "object" | "array"): TranslateKeyword {
  return (_, checked) => checked[kind](() => UNTRANSLATED);
}

const allowsAll = (schema: JsonValue): boolean => schema === true || (isSchema(schema) && isEmpty(schema));

function isEmpty(schema: JsonSchema): boolean {
  return Object.keys(schema).length === 0;
}

/** No document of PostgreSQL has a key with a NUL or half of a surrogate pair in it. */
function hasKeys(object: string, names: readonly JsonValue[]): Translation {
  const texts = names.map(String);
  if (texts.some((name) => !isStorable(name))) return exactly(false);
  return exactly(texts.length === 0 || `${object} ?& ARRAY[${texts.map(literal).join(", ")}]`);
}

function hasOnly(object: string, schema: JsonValue, names: readonly string[]): Translation {
  if (allowsAll(schema)) return exactly(true);
  if (schema !== false) return UNTRANSLATED;
  const known = names.filter(isStorable).map(literal).join(", ");
  return exactly(`${object} - ARRAY[${known}]::text[] = '{}'::jsonb`);
}

export function isStorable(text: string): boolean {
  return !/[\0\p{Surrogate}]/u.test(text);
}
