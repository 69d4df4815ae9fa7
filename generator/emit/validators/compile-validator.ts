import { _, type CodeKeywordDefinition, str } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import standalone from "ajv/dist/standalone/index.js";
import type { JsonSchema } from "../../model/mesh.js";
import { engineFor } from "../../rules/engine.js";

const compiled = new Map<string, string>();

/**
 * A JSON Schema as a JavaScript expression: a validating function that imports nothing. Compiling is the
 * dearest step of a run and depends on the schema alone, so a watching process compiles each one once.
 */
export function compileValidator(schema: JsonSchema): string {
  const key = JSON.stringify(schema);
  const known = compiled.get(key);
  if (known !== undefined) return known;
  const expression = compile(schema, { ownProperties: INHERITED.some((name) => key.includes(`"${name}"`)) });
  compiled.set(key, expression);
  return expression;
}

/** A property called like one of these is found on every object: only such a schema pays for looking closer. */
const INHERITED = Object.getOwnPropertyNames(Object.prototype);

function compile(schema: JsonSchema, { ownProperties }: { readonly ownProperties: boolean }): string {
  const ajv = new Ajv2020({
    allErrors: true,
    ownProperties,
    // ajv's own optimiser would take a third of the time to make the text a tenth shorter.
    code: { source: true, esm: true, optimize: false },
    // Formats are annotations in 2020-12, and unknown keywords are a user's right; the front has checked the rest.
    validateFormats: false,
    strict: false,
    // What JSON.parse makes of 1e400 is no number that PostgreSQL or another reader would take.
    strictNumbers: true,
    validateSchema: false,
    meta: false,
    logger: false,
  });
  ajv.removeKeyword("multipleOf").addKeyword(EXACT_MULTIPLE);
  const text = standalone.default(ajv, ajv.compile(schema));
  const [, name, body] =
    /^"use strict";export const validate = (\w+);export default \w+;(.*)$/s.exec(text) ?? [];
  if (name === undefined || body === undefined)
    throw new Error("ajv's standalone output has changed its form");
  return `(() => {${chooseEngines(inlineHelpers(dropUnusedSchema(body, schema)))} return ${name};})()`;
}

/** What the runtime exports for the patterns that JavaScript's own engine must not run. */
export const LINEAR_PATTERN = "linearPattern";

/** The quotes of such a text within a string of the schema are escaped: nothing there looks like this. */
const PATTERN = /(const pattern\d+ = )new RegExp\(("(?:[^"\\]|\\.)*"), "u"\);/g;

function chooseEngines(body: string): string {
  return body.replaceAll(PATTERN, (native: string, declaration: string, literal: string) => {
    const engine = engineFor(JSON.parse(literal) as string);
    switch (engine.kind) {
      case "javascript":
        return native;
      case "automata": {
        const none = engine.none.length === 0 ? "" : `, ${JSON.stringify(engine.none)}`;
        return `${declaration}${LINEAR_PATTERN}(${JSON.stringify(engine.all)}${none});`;
      }
      case "none":
        throw new Error(`a pattern that no engine runs got here: it ${engine.reason}`);
      default:
        return engine satisfies never;
    }
  });
}

/** ajv divides doubles, by which 0.07 is no multiple of 0.01; the owner's database, which knows better, would let it pass. */
const EXACT_MULTIPLE: CodeKeywordDefinition = {
  keyword: "multipleOf",
  type: "number",
  schemaType: "number",
  error: {
    message: ({ schemaCode }) => str`must be multiple of ${schemaCode}`,
    params: ({ schemaCode }) => _`{multipleOf: ${schemaCode}}`,
  },
  code(context) {
    const isMultiple = context.gen.scopeValue("func", {
      ref: "isMultiple",
      code: _`require("meshwright/isMultiple").default`,
    });
    context.fail(_`!${isMultiple}(${context.data}, ${context.schemaCode})`);
  },
};

/** ajv declares the schema for the few keywords that look into it while they run, and for all others too. */
function dropUnusedSchema(body: string, schema: JsonSchema): string {
  const declaration = `const schema0 = ${JSON.stringify(schema)};`;
  const rest = body.replace(declaration, () => "");
  return rest.includes("schema0") ? body : rest;
}

/** The functions that ajv's output asks for by `require`, which an ES module does not have. */
const HELPERS: Readonly<Record<string, string>> = {
  "ajv/dist/runtime/equal": "equal",
  "ajv/dist/runtime/ucs2length": "codePoints",
  "meshwright/isMultiple": "isMultiple",
};

function inlineHelpers(body: string): string {
  return body.replaceAll(/(const func\d+ = )require\("([^"]+)"\)\.default;/g, (_, declaration, module) => {
    const helper = HELPERS[module];
    if (helper === undefined)
      throw new Error(`ajv's standalone output needs ${module}, which is not inlined`);
    return `${declaration}${helper};`;
  });
}
