import { factsOf } from "@meshwright/runtime/column-types";
import type { Column, JsonSchema, JsonValue } from "../../model/mesh.js";
import { isSchema, nameOfReference } from "../../model/schema-references.js";
import { propertyName } from "../print/layout.js";

/** The TypeScript type of the values that a JSON Schema admits; `unknown` where TypeScript cannot tell. */
export function schemaType(schema: JsonValue | undefined): string {
  if (!isSchema(schema)) return schema === false ? "never" : "unknown";
  if (typeof schema.$ref === "string") return nameOfReference(schema.$ref);
  if (schema.const !== undefined) return constantType(schema.const);
  if (Array.isArray(schema.enum)) return union(schema.enum.map(constantType));
  for (const choice of [schema.anyOf, schema.oneOf]) {
    if (Array.isArray(choice)) return union(choice.map(schemaType));
  }
  if (Array.isArray(schema.allOf))
    return intersection([withoutAllOf(schema), ...schema.allOf].map(schemaType));
  if (Array.isArray(schema.type)) return union(schema.type.map((type) => namedType(type, schema)));
  return namedType(schema.type, schema);
}

/** What reading the column gives: a wide whole number is a decimal string, a moment ISO 8601 in UTC. */
export function columnType(column: Column): string {
  const plain = column.wide === true ? "string" : factsOf(column.type).typescript;
  const type = column.oneOf === undefined ? plain : union(column.oneOf.map(constantType));
  return column.nullable ? union([type, "null"]) : type;
}

function namedType(type: JsonValue | undefined, schema: JsonSchema): string {
  switch (type) {
    case "string":
    case "boolean":
    case "null":
      return type;
    case "integer":
    case "number":
      return "number";
    case "array":
      return arrayType(schema);
    case "object":
      return objectType(schema);
    default:
      return schema.properties === undefined ? "unknown" : objectType(schema);
  }
}

function arrayType(schema: JsonSchema): string {
  if (!Array.isArray(schema.prefixItems)) return `readonly ${inParentheses(schemaType(schema.items))}[]`;
  // A tuple may be shorter than its prefix: JSON Schema asks for a length by minItems alone.
  const items = schema.prefixItems.map((item, index) => {
    const mayEnd = typeof schema.minItems !== "number" || index >= schema.minItems;
    return mayEnd ? `${inParentheses(schemaType(item))}?` : schemaType(item);
  });
  const rest = schema.items === false ? [] : [`...${inParentheses(schemaType(schema.items))}[]`];
  return `readonly [${[...items, ...rest].join(", ")}]`;
}

function objectType(schema: JsonSchema): string {
  const required = Array.isArray(schema.required) ? schema.required : [];
  const properties = isSchema(schema.properties) ? Object.entries(schema.properties) : [];
  const members = properties.map(
    ([name, value]) =>
      `readonly ${propertyName(name)}${required.includes(name) ? "" : "?"}: ${schemaType(value)}`,
  );
  if (members.length > 0) return `{ ${members.join("; ")} }`;
  const values = schema.additionalProperties;
  return `{ readonly [key: string]: ${isSchema(values) ? schemaType(values) : "unknown"} }`;
}

function constantType(value: JsonValue): string {
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `readonly [${value.map(constantType).join(", ")}]`;
  const members = Object.entries(value).map(
    ([name, item]) => `readonly ${propertyName(name)}: ${constantType(item)}`,
  );
  return members.length === 0 ? "{ readonly [key: string]: never }" : `{ ${members.join("; ")} }`;
}

function withoutAllOf({ allOf: _, ...schema }: JsonSchema): JsonSchema {
  return schema;
}

function union(types: readonly string[]): string {
  const distinct = [...new Set(types)];
  return distinct.includes("unknown") ? "unknown" : distinct.join(" | ");
}

function intersection(types: readonly string[]): string {
  const telling = [...new Set(types)].filter((type) => type !== "unknown");
  return telling.length === 0 ? "unknown" : telling.map(inParentheses).join(" & ");
}

function inParentheses(type: string): string {
  return /[|&]|^readonly /.test(type) ? `(${type})` : type;
}
