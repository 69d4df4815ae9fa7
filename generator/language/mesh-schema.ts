import type { JsonSchema, JsonValue } from "../vocabulary/json-schema.js";
import { meshShape } from "./grammar.js";
import type { ChoiceShape, Key, Keys, MappingShape, Shape, TextShape } from "./shape.js";

/**
 * The language of mesh.yaml for editors: completion, hover and the mistakes that need no knowledge
 * of the rest of the file. Draft-07, which the YAML language servers read best.
 */
export const meshJsonSchema: JsonSchema = {
  $schema: "http://json-schema.org/draft-07/schema#",
  title: "mesh.yaml",
  description: "Services, databases, subjects and cascades of a mesh.",
  ...schemaOf(meshShape),
};

function schemaOf(shape: Shape): JsonSchema {
  switch (shape.kind) {
    case "text":
      return schemaOfText(shape);
    case "choice":
      return schemaOfChoice(shape);
    case "integer":
      return { type: "integer", minimum: shape.minimum, maximum: shape.maximum };
    case "flag":
      return { type: "boolean" };
    case "scalar":
      return { type: ["string", "number", "boolean"] };
    case "open":
      return shape.schema;
    case "list":
      return {
        type: "array",
        items: schemaOf(shape.item),
        ...(shape.minimum > 0 && { minItems: shape.minimum }),
      };
    case "dictionary":
      return {
        type: "object",
        propertyNames: schemaOf(shape.name),
        additionalProperties: schemaOf(shape.value),
        ...(shape.minimum > 0 && { minProperties: shape.minimum }),
      };
    case "mapping":
      return schemaOfMapping(shape);
    case "either":
      return { anyOf: [schemaOf(shape.short), schemaOf(shape.full)] };
  }
}

function schemaOfText({ pattern, examples, allowsNumbers }: TextShape<unknown>): JsonSchema {
  return {
    type: allowsNumbers ? ["string", "integer"] : "string",
    ...(pattern !== undefined && { pattern: pattern.source }),
    ...(examples.length > 0 && { examples }),
  };
}

function schemaOfChoice({ values, forms, suffixes }: ChoiceShape<string>): JsonSchema {
  const known = { enum: ["", ...suffixes].flatMap((suffix) => values.map((value) => `${value}${suffix}`)) };
  if (forms === undefined) return known;
  const ends = suffixes.map((suffix) => suffix.replaceAll(/[[\]?]/g, "\\$&")).join("|");
  const end = ends === "" ? "" : `(${ends})?`;
  const open = { type: "string", pattern: `^(${forms.pattern})${end}$`, examples: forms.examples };
  return { anyOf: [known, open] };
}

function schemaOfMapping({ keys, extensible }: MappingShape<Keys>): JsonSchema {
  const required = Object.keys(keys).filter((name) => keys[name]?.required);
  return {
    type: "object",
    properties: Object.fromEntries(Object.entries(keys).map(([name, key]) => [name, schemaOfKey(key)])),
    ...(extensible && { patternProperties: { "^x-": true } }),
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  };
}

function schemaOfKey({ shape, doc, default: fallback }: Key<Shape>): {
  readonly [keyword: string]: JsonValue;
} {
  return { description: doc, ...(fallback !== undefined && { default: fallback }), ...schemaOf(shape) };
}
