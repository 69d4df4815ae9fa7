import { readdirSync, readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { compileMesh } from "../../../generator/compile.js";
import { meshShape } from "../../../generator/language/grammar.js";
import { meshJsonSchema } from "../../../generator/language/mesh-schema.js";
import type { Shape } from "../../../generator/language/shape.js";
import type { JsonValue } from "../../../generator/model/mesh.js";

const ajv = new Ajv({ strict: true, allowUnionTypes: true, allErrors: true });
const validate = ajv.compile(meshJsonSchema);
const reference = new URL("../../../mesh.yaml", import.meta.url);
const scenarios = new URL("../../scenarios/diagnostics/", import.meta.url);

test("the reference mesh fits the published schema", () => {
  validate(parse(readFileSync(reference, "utf8"), { merge: true, stringKeys: true }));
  expect(validate.errors).toBeNull();
});

/** Mistakes that need no knowledge of the rest of the file: an editor sees them too. */
const structural = [
  "unknown-key",
  "missing-key",
  "wrong-type",
  "out-of-range",
  "unknown-type",
  "unknown-value",
  "invalid-name",
  "malformed-subject",
  "malformed-template",
  "malformed-pattern",
  "malformed-reference",
  "malformed-path",
  "malformed-header",
  "invalid-duration",
  "invalid-size",
];

describe("schema and compiler agree on the scenarios", () => {
  const readable = readdirSync(scenarios).filter(
    (name) =>
      !/^(yaml-|conflict-marker|unstorable|duplicate-key|unknown-anchor|too-many|too-large|empty)/.test(name),
  );
  test.each(readable)("%s", (name) => {
    const text = readFileSync(new URL(`${name}/mesh.yaml`, scenarios), "utf8");
    const { diagnostics } = compileMesh(text, { file: "mesh.yaml" });
    const hasStructuralMistake = diagnostics.some(
      ({ code }) => structural.includes(code) || code === "not-a-mesh",
    );
    const inSchema =
      name.startsWith("invalid-schema") || !validate(parse(text, { merge: true, stringKeys: true }));
    expect(inSchema).toBe(hasStructuralMistake || name.startsWith("invalid-schema"));
  });
});

test("every key of the language is published with its documentation", () => {
  const visit = (shape: Shape, schema: JsonValue, path: string): void => {
    if (typeof schema !== "object" || schema === null || Array.isArray(schema))
      throw new Error(`no schema at ${path}`);
    const at = schema as { readonly [keyword: string]: JsonValue };
    if (shape.kind === "mapping") {
      const properties = at.properties as {
        readonly [key: string]: { readonly [keyword: string]: JsonValue };
      };
      expect(Object.keys(properties), path).toEqual(Object.keys(shape.keys));
      for (const [name, key] of Object.entries(shape.keys)) {
        expect(key.doc, `${path}.${name}`).toMatch(/^[A-Z`].*\.$/);
        expect(properties[name]?.description).toBe(key.doc);
        visit(key.shape, properties[name] ?? null, `${path}.${name}`);
      }
    } else if (shape.kind === "dictionary") visit(shape.value, at.additionalProperties ?? null, `${path}.*`);
    else if (shape.kind === "list") visit(shape.item, at.items ?? null, `${path}[]`);
    else if (shape.kind === "either") {
      const [short = null, full = null] = at.anyOf as readonly JsonValue[];
      visit(shape.short, short, path);
      visit(shape.full, full, path);
    }
  };
  visit(meshShape, meshJsonSchema, "mesh");
});
