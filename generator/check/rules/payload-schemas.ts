import type { Report } from "../../diagnostics/report.js";
import { leavesOf } from "../../language/payload-leaves.js";
import { describeFound } from "../../language/read.js";
import type { EventSymbol } from "../../language/symbols.js";
import { type Engine, engineFor } from "../../rules/engine.js";
import type { Entry, Value } from "../../source/value.js";
import type { Rule } from "../rule.js";
import { findNonsense } from "../schema-sense.js";

/** A field's own JSON Schema is one that validators can be compiled from. */
export const checkPayloadSchemas: Rule = (program, report) => {
  for (const event of program.events) refuseNull(event, report);
  const holders = [
    ...program.events.map(({ fields }) => leavesOf(fields.values())),
    ...[...program.types.values()].map(({ fields }) => fields),
  ];
  for (const fields of holders) {
    for (const { node } of fields) {
      if (node?.kind !== "open") continue;
      const entries = node.value.entries.filter((entry) => entry.key !== "optional");
      checkSchema({ ...node.value, entries }, report);
      const optional = node.value.entries.find((entry) => entry.key === "optional")?.value;
      if (optional !== undefined) demand(optional, isFlag, '"optional" is true or false', report);
    }
  }
};

/** In an object of a type a constant says that there is nothing; elsewhere the field itself says nothing. */
function refuseNull({ fields }: EventSymbol, report: Report): void {
  const untyped = [...fields.values()].filter(
    ({ source }) => source?.kind !== "object" || source.type === undefined,
  );
  for (const { node } of leavesOf(untyped)) {
    const constant = node?.kind === "open" && node.value.entries.find(({ key }) => key === "const")?.value;
    if (constant && constant.kind === "scalar" && constant.value === null)
      report("invalid-schema", constant.span, {
        reason: "a field that is always null says nothing: leave it out",
      });
  }
}

const types = new Set(["string", "integer", "number", "boolean", "array", "object", "null"]);

const isFlag = (value: Value): boolean => value.kind === "scalar" && typeof value.value === "boolean";
const isText = (value: Value): boolean => value.kind === "scalar" && typeof value.value === "string";
const isCount = (value: Value): boolean =>
  value.kind === "scalar" && Number.isSafeInteger(value.value) && Number(value.value) >= 0;
const isNumber = (value: Value): boolean => value.kind === "scalar" && Number.isFinite(value.value);
const isType = (value: Value): boolean => value.kind === "scalar" && types.has(value.text);
const isTypes = (value: Value): boolean =>
  value.kind === "list" ? value.items.length > 0 && value.items.every(isType) : isType(value);
const isChoice = (value: Value): boolean => value.kind === "list" && value.items.length > 0;
const isTexts = (value: Value): boolean => value.kind === "list" && value.items.every(isText);
const isAnything = (): boolean => true;

type Keyword =
  | { readonly check: (value: Value) => boolean; readonly expects: string }
  | { readonly refuse: (value: Value) => string | undefined }
  | { readonly nested: "schema" | "schemas" | "properties" };

const schema: Keyword = { nested: "schema" };
const schemas: Keyword = { nested: "schemas" };
const properties: Keyword = { nested: "properties" };
const count: Keyword = { check: isCount, expects: "a whole number of at least 0" };
const number: Keyword = { check: isNumber, expects: "a finite number" };
const text: Keyword = { check: isText, expects: "a text" };
const flag: Keyword = { check: isFlag, expects: "true or false" };
const anything: Keyword = { check: isAnything, expects: "a value" };

/** What of JSON Schema 2020-12 stands on its own. `$ref` names a type of the mesh: nothing leads out of it. */
const keywords: ReadonlyMap<string, Keyword> = new Map<string, Keyword>([
  ["type", { check: isTypes, expects: `one of ${[...types].join(", ")}, or a list of them` }],
  ["enum", { check: isChoice, expects: "a list of values" }],
  ["const", anything],
  ["$ref", text],
  ["format", text],
  ["title", text],
  ["description", text],
  ["default", anything],
  ["examples", { check: isChoice, expects: "a list of values" }],
  ["deprecated", flag],
  ["minLength", count],
  ["maxLength", count],
  ["pattern", { refuse: unfitPattern }],
  ["minimum", number],
  ["maximum", number],
  ["exclusiveMinimum", number],
  ["exclusiveMaximum", number],
  [
    "multipleOf",
    {
      check: (value) => isNumber(value) && value.kind === "scalar" && Number(value.value) > 0,
      expects: "a number above 0",
    },
  ],
  ["minItems", count],
  ["maxItems", count],
  ["uniqueItems", flag],
  ["minProperties", count],
  ["maxProperties", count],
  ["required", { check: isTexts, expects: "a list of property names" }],
  ["items", schema],
  ["prefixItems", schemas],
  ["contains", schema],
  ["additionalProperties", schema],
  ["propertyNames", schema],
  ["not", schema],
  ["properties", properties],
  ["allOf", schemas],
  ["anyOf", schemas],
  ["oneOf", schemas],
]);

const besideReference = new Set(["$ref", "title", "description", "deprecated"]);

function checkSchema(value: Value, report: Report): void {
  if (value.kind !== "mapping") {
    demand(value, isFlag, `a schema is a mapping, not ${describeFound(value)}`, report);
    return;
  }
  const foreign = value.entries.filter(({ key }) => !keywords.has(key));
  if (foreign[0] !== undefined)
    report("invalid-schema", foreign[0].keySpan, { reason: foreignReason(foreign) });
  else for (const { at, reason } of findNonsense(value)) report("invalid-schema", at.keySpan, { reason });
  const isReference = value.entries.some(({ key }) => key === "$ref");
  for (const { key, keySpan, value: child } of value.entries) {
    if (isReference && !besideReference.has(key))
      report("invalid-schema", keySpan, {
        reason: `"${key}" has no place beside "$ref": say it in the type`,
      });
    const keyword = keywords.get(key);
    if (keyword === undefined || (foreign.length > 0 && !("nested" in keyword))) continue;
    if ("check" in keyword) demand(child, keyword.check, `"${key}" is ${keyword.expects}`, report);
    else if ("refuse" in keyword) refuse(child, keyword.refuse(child), report);
    else checkNested(key, keyword.nested, child, report);
  }
}

/** One schema with words of another language is one mistake. */
function foreignReason(entries: readonly Entry[]): string {
  const keys = entries.map(({ key }) => `"${key}"`).join(", ");
  const what = entries.length === 1 ? `${keys} is no keyword` : `${keys} are no keywords`;
  if (entries.some(({ key }) => key === "fields"))
    return `${what} that can be used here; an object of fields holds no other: give its fields other names here`;
  const isObject = entries.some(({ value }) => value.kind === "mapping");
  return `${what} that can be used here${isObject ? "; an object of fields is { fields: { … } }" : ""}`;
}

function checkNested(
  key: string,
  kind: "schema" | "schemas" | "properties",
  value: Value,
  report: Report,
): void {
  if (kind === "schema") checkSchema(value, report);
  else if (kind === "schemas" && value.kind === "list")
    for (const item of value.items) checkSchema(item, report);
  else if (kind === "properties" && value.kind === "mapping")
    for (const entry of value.entries) checkProperty(entry, report);
  else if (value.kind !== "unread")
    report("invalid-schema", value.span, {
      reason: `"${key}" is ${kind === "schemas" ? "a list" : "a mapping"} of schemas`,
    });
}

function checkProperty({ key, keySpan, value }: Entry, report: Report): void {
  // ajv leaves it out: its rules would not hold, and where no others are allowed it would be refused.
  if (key === "__proto__")
    report("invalid-schema", keySpan, {
      reason: '"__proto__" is no property in JavaScript that could be checked',
    });
  checkSchema(value, report);
}

function demand(value: Value, holds: (value: Value) => boolean, reason: string, report: Report): void {
  if (value.kind !== "unread" && !holds(value)) report("invalid-schema", value.span, { reason });
}

function refuse(value: Value, reason: string | undefined, report: Report): void {
  if (value.kind !== "unread" && reason !== undefined) report("invalid-schema", value.span, { reason });
}

const INSTEAD =
  "a text that somebody sends could keep a service busy for minutes; say it without, with patterns in `allOf` and `not`, or with maxLength";

/** A regular expression that can be run on any text in a time that grows no faster than the text is long. */
function unfitPattern(value: Value): string | undefined {
  const engine =
    value.kind === "scalar" && typeof value.value === "string" ? findEngine(value.value) : undefined;
  if (engine === undefined) return '"pattern" is a regular expression';
  return engine.kind === "none" ? `"pattern" ${engine.reason}: ${INSTEAD}` : undefined;
}

/** undefined for what is no pattern, by the grammar or by this Node. */
function findEngine(pattern: string): Engine | undefined {
  try {
    new RegExp(pattern, "u");
    return engineFor(pattern);
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw cause;
  }
}
