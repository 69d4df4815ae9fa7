import { BASE64, DAY, DECIMAL, type FieldType } from "@meshwright/runtime/column-types";
import { INT64 } from "@meshwright/runtime/int64";
import type { FieldSymbol } from "../../language/symbols.js";
import { isTypeName } from "../../language/type-name.js";
import type { Value } from "../../source/value.js";
import type { Field, FieldSource, JsonSchema, JsonValue } from "../mesh.js";
import { expandReferences, namesIn, referenceTo, replaceReferences } from "../schema-references.js";
import { required } from "./invariant.js";

export interface FieldParts {
  /** The description of its column. */
  readonly inherited?: string | undefined;
  /** Of the types that it may name. */
  readonly definitionOf: DefinitionOf;
  readonly source?: FieldSource | undefined;
}

export function buildField(field: FieldSymbol, { inherited, definitionOf, source }: FieldParts): Field {
  const { schema: written, ...said } = writtenField(field, inherited);
  const orNull = (schema: JsonSchema) => (said.optional ? nullable(schema) : schema);
  return {
    ...said,
    source,
    schema: orNull(expandReferences(written, definitionOf)),
    named: namesIn(written).length === 0 ? undefined : orNull(written),
  };
}

export interface ObjectParts {
  /** Each with what fills it. */
  readonly fields: readonly Field[];
  /** Of the mesh's, where it is one. */
  readonly type: string | undefined;
  readonly definitionOf: DefinitionOf;
}

export function buildObject(name: string, { fields, type, definitionOf }: ObjectParts): Field {
  const reference = type === undefined ? undefined : { $ref: referenceTo(type) };
  const isNamed = fields.some(({ named }) => named !== undefined);
  const named = fields.map((field) => ({ ...field, schema: field.named ?? field.schema }));
  return {
    name,
    source: { kind: "object", fields },
    description: undefined,
    optional: false,
    type: undefined,
    each: undefined,
    schema: reference === undefined ? schemaOfFields(fields) : expandReferences(reference, definitionOf),
    named: reference ?? (isNamed ? schemaOfFields(named) : undefined),
  };
}

/** The object that the fields are, of schemas that stand on their own. */
export function schemaOfFields(fields: readonly Pick<Field, "name" | "optional" | "schema">[]): JsonSchema {
  return {
    type: "object",
    properties: Object.fromEntries(fields.map(({ name, schema }) => [name, schema])),
    required: fields.filter(({ optional }) => !optional).map(({ name }) => name),
  };
}

export type DefinitionOf = (name: string) => JsonSchema | undefined;

/** Its schema as if it were required. */
function writtenField(field: FieldSymbol, inherited: string | undefined): Omit<Field, "named" | "source"> {
  const node = required(field.node, `the type of ${field.name}`);
  if (node.kind === "choice") {
    const optional = node.suffix.endsWith("?");
    const isList = node.suffix.startsWith("[]");
    const type = isTypeName(node.value) ? undefined : node.value;
    const single = type === undefined ? { $ref: referenceTo(node.value) } : schemaOfType(type);
    const schema = describe(isList ? { type: "array", items: single } : single, inherited);
    return {
      name: field.name,
      description: inherited,
      optional,
      type: isList ? undefined : type,
      each: isList ? type : undefined,
      schema,
    };
  }
  const { optional, ...json } = toJson(node.value) as { readonly [key: string]: JsonValue };
  const schema = replaceReferences(json, (name, beside) => ({ $ref: referenceTo(name), ...beside }));
  const description = typeof schema.description === "string" ? schema.description : inherited;
  return {
    name: field.name,
    description,
    optional: optional === true,
    type: undefined,
    each: undefined,
    schema: describe(schema, description),
  };
}

function describe(schema: JsonSchema, description: string | undefined): JsonSchema {
  return description === undefined ? schema : { ...schema, description };
}

/** The ids and times are texts on the wire: the documented messages carry ids that no `format` would accept. */
function schemaOfType(type: FieldType): JsonSchema {
  switch (type) {
    case "integer":
      return { type, minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER };
    case "number":
    case "boolean":
      return { type };
    case "json":
      return {};
    case "bigint":
      return { type: "string", pattern: INT64 };
    case "decimal":
      return { type: "string", pattern: DECIMAL };
    case "date":
      return { type: "string", pattern: DAY };
    case "binary":
      return { type: "string", pattern: BASE64, contentEncoding: "base64" };
    case "string":
    case "nanoid":
    case "uuid":
    case "timestamp":
      return { type: "string" };
    default:
      return type satisfies never;
  }
}

/** The same schema, with null. */
function nullable(schema: JsonSchema): JsonSchema {
  const { type, description } = schema;
  if ("enum" in schema || "const" in schema || "$ref" in schema) {
    return describe(
      { anyOf: [schema, { type: "null" }] },
      typeof description === "string" ? description : undefined,
    );
  }
  if (typeof type === "string") return type === "null" ? schema : { ...schema, type: [type, "null"] };
  if (Array.isArray(type)) return type.includes("null") ? schema : { ...schema, type: [...type, "null"] };
  return Object.keys(schema).every((keyword) => keyword === "description")
    ? schema
    : describe(
        { anyOf: [schema, { type: "null" }] },
        typeof description === "string" ? description : undefined,
      );
}

export function toJson(value: Value): JsonValue {
  switch (value.kind) {
    case "scalar":
      return value.value;
    case "list":
      return value.items.map(toJson);
    case "mapping":
      return Object.fromEntries(value.entries.map((entry) => [entry.key, toJson(entry.value)]));
    case "unread":
      throw new Error("compiler bug: a value that was not read passed the checks");
  }
}
