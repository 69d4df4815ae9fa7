import { type JsonSchema, type JsonValue, valueKeywords } from "../vocabulary/json-schema.js";

/** Where a schema file holds the types that it uses. */
const DEFINITIONS = "#/$defs/";

/** `Money` as a schema names it. */
export function referenceTo(name: string): string {
  return `${DEFINITIONS}${name}`;
}

export function nameOfReference(reference: string): string {
  return reference.startsWith(DEFINITIONS) ? reference.slice(DEFINITIONS.length) : reference;
}

/** The schema with something else in place of each `$ref`; `beside`: what stands beside it. */
export function replaceReferences(
  schema: JsonSchema,
  replace: (reference: string, beside: JsonSchema) => JsonSchema,
): JsonSchema {
  const replaced = (value: JsonValue): JsonValue => {
    if (Array.isArray(value)) return value.map(replaced);
    return isSchema(value) ? replaceReferences(value, replace) : value;
  };
  const each = (values: JsonValue): JsonValue =>
    isSchema(values)
      ? Object.fromEntries(Object.entries(values).map(([key, value]) => [key, replaced(value)]))
      : values;
  const { $ref, ...others } = schema;
  const rest = Object.fromEntries(
    Object.entries(others).map(([keyword, operand]) => {
      if (valueKeywords.has(keyword)) return [keyword, operand];
      return [keyword, keyword === "properties" ? each(operand) : replaced(operand)];
    }),
  );
  return typeof $ref === "string" ? replace($ref, rest) : rest;
}

/** Names of the types that the schema uses itself. */
export function namesIn(schema: JsonSchema): readonly string[] {
  const names = new Set<string>();
  replaceReferences(schema, (reference, beside) => {
    names.add(nameOfReference(reference));
    return beside;
  });
  return [...names];
}

/** The schema on its own, with all that it names in full; what cannot be found, or would hold itself, admits anything. */
export function expandReferences(
  schema: JsonSchema,
  definitionOf: (name: string) => JsonSchema | undefined,
): JsonSchema {
  return replaceReferences(schema, (reference, beside) => {
    const name = nameOfReference(reference);
    const definition = definitionOf(name);
    if (definition === undefined) return beside;
    const inner = (other: string) => (other === name ? undefined : definitionOf(other));
    return { ...expandReferences(definition, inner), ...beside };
  });
}

export function isSchema(value: JsonValue | undefined): value is JsonSchema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
