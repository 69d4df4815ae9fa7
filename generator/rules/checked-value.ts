import { wireExpression } from "@meshwright/runtime/column-sql";
import { factsOf } from "@meshwright/runtime/column-types";
import type { Column, JsonValue } from "../model/mesh.js";
import { literal, SCHEMA_MARK } from "../quote/sql.js";
import { allOf, exactly, type Translation, together, UNTRANSLATED } from "./translation.js";

/*
 * The value that a JSON Schema checks, where it is a column: which JSON values it may be, and how SQL reads it.
 */

export type JsonType = "string" | "integer" | "number" | "boolean" | "array" | "object" | "null";

/** A column, as far as SQL over its values depends on it. */
export type TypedColumn = Pick<Column, "type"> & Partial<Pick<Column, "anyJson">>;

export interface CheckedValue {
  is(type: JsonType): Translation;
  equalsOne(values: readonly JsonValue[]): Translation;
  /** A rule that counts for texts alone; the same for the others. */
  text(rule: (text: string) => Translation): Translation;
  number(rule: (number: NumberForm) => Translation): Translation;
  array(rule: (array: string) => Translation): Translation;
  object(rule: (object: string) => Translation): Translation;
}

export interface NumberForm {
  /** For comparing. */
  readonly plain: string;
  /** For arithmetic: as the digits that a message shows. */
  readonly exact: string;
}

const IRRELEVANT = () => exactly(true);
const NONE: Omit<CheckedValue, "is" | "equalsOne"> = {
  text: IRRELEVANT,
  number: IRRELEVANT,
  array: IRRELEVANT,
  object: IRRELEVANT,
};

/** By kind, since a column of PostgreSQL shows one kind of JSON value, but for a document. */
export function checkedColumn(column: TypedColumn, value: string): CheckedValue {
  const { type } = column;
  const { kind, bits } = factsOf(type);
  switch (kind) {
    case "uuid":
      return checkedText(`${value}::text`);
    case "whole number":
      return checkedNumber({ plain: value, exact: value }, exactly(true));
    case "number": {
      const exact = `${SCHEMA_MARK}.decimal_of(${value})`;
      // Compared with the numbers of the rule, a real would be the double that it is.
      const plain = bits === undefined ? value : exact;
      return checkedNumber({ plain, exact }, exactly(`${value} = pg_catalog.trunc(${value})`));
    }
    case "boolean":
      return { ...NONE, is: (wanted) => exactly(wanted === "boolean"), equalsOne: equalsBoolean(value) };
    case "document":
      return checkedDocument(wireExpression(column, value));
    case "list":
      return checkedList(wireExpression(column, value));
    case "text":
    case "decimal":
    case "day":
    case "bytes":
      return checkedText(wireExpression(column, value));
    case "moment":
      // SQL has the moment, not the text that the message has of it: rules about the text are left to validators.
      return {
        ...NONE,
        is: (wanted) => exactly(wanted === "string"),
        equalsOne: () => UNTRANSLATED,
        text: () => UNTRANSLATED,
      };
    default:
      return kind satisfies never;
  }
}

function checkedList(value: string): CheckedValue {
  return {
    ...NONE,
    is: (wanted) => exactly(wanted === "array"),
    equalsOne: () => UNTRANSLATED,
    array: (rule) => rule(`pg_catalog.to_jsonb(${value})`),
  };
}

function checkedText(value: string): CheckedValue {
  return {
    ...NONE,
    is: (wanted) => exactly(wanted === "string"),
    equalsOne: (values) => within(value, values.filter(isStorableText).map(literal)),
    text: (rule) => rule(value),
  };
}

function checkedNumber(form: NumberForm, whole: Translation): CheckedValue {
  return {
    ...NONE,
    is: (wanted) => (wanted === "integer" ? whole : exactly(wanted === "number")),
    equalsOne: (values) => within(form.plain, values.filter((each) => typeof each === "number").map(String)),
    number: (rule) => rule(form),
  };
}

function equalsBoolean(value: string): CheckedValue["equalsOne"] {
  return (values) =>
    within(
      value,
      values.filter((each) => typeof each === "boolean").map((each) => String(each).toUpperCase()),
    );
}

function within(value: string, constants: readonly string[]): Translation {
  return exactly(constants.length > 0 && `${value} IN (${constants.join(", ")})`);
}

/** A document. PostgreSQL may evaluate any part of a condition first, so each part checks the type itself. */
function checkedDocument(value: string): CheckedValue {
  const where = (type: JsonType, rule: Translation): Translation => {
    const said = rule.never ? exactly("FALSE") : rule;
    if (said.conditions.length === 0) return said;
    const guarded = `CASE WHEN pg_catalog.jsonb_typeof(${value}) = '${type}' THEN ${together(said)} ELSE TRUE END`;
    return { conditions: [guarded], exact: said.exact };
  };
  const scalar = `(${value} #>> '{}')`;
  const number = `${scalar}::numeric`;
  const typed = (type: JsonType) => exactly(`pg_catalog.jsonb_typeof(${value}) = '${type}'`);
  return {
    is: (wanted) =>
      wanted === "integer"
        ? allOf([typed("number"), where("number", exactly(`${number} % 1 = 0`))])
        : typed(wanted),
    equalsOne: (values) =>
      within(
        value,
        values
          .map((each) => JSON.stringify(each))
          .filter(isStorableJson)
          .map((each) => `${literal(each)}::jsonb`),
      ),
    text: (rule) => where("string", rule(scalar)),
    number: (rule) => where("number", rule({ plain: number, exact: number })),
    array: (rule) => where("array", rule(value)),
    object: (rule) => where("object", rule(value)),
  };
}

function isStorableText(value: JsonValue): value is string {
  return typeof value === "string" && !/[\0\p{Surrogate}]/u.test(value);
}

/** JSON.stringify spells out what a text of PostgreSQL cannot hold. */
function isStorableJson(text: string): boolean {
  return !/(?<!\\)(\\\\)*\\u(0000|d[89a-f])/i.test(text);
}
