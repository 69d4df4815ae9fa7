import { type ColumnType, type FieldType, factsOf, kindOf } from "@meshwright/runtime/column-types";
import type { FieldNode } from "../language/grammar.js";
import { isTypeName } from "../language/type-name.js";
import type { Value } from "../source/value.js";

export function isOptional(field: FieldNode): boolean {
  if (field.kind === "choice") return field.suffix.endsWith("?");
  const optional = keywordOf(field, "optional");
  return optional?.kind === "scalar" && optional.value === true;
}

/** As a message mentions it: `string?`, `a JSON Schema of type array`. */
export function describeField(field: FieldNode): string {
  if (field.kind === "choice") return `${field.value}${field.suffix}`;
  const type = keywordOf(field, "type");
  const reference = keywordOf(field, "$ref");
  if (reference?.kind === "scalar") return `a JSON Schema of type ${reference.text}`;
  return type?.kind === "scalar" ? `a JSON Schema of type ${type.text}` : "a JSON Schema";
}

/** Whether the field and the column hold the same values; a JSON Schema without a plain type is trusted. */
export function fieldFits(field: FieldNode, column: ColumnType): boolean {
  const { element, fields } = factsOf(column);
  if (field.kind === "choice") {
    const isList = field.suffix.startsWith("[]");
    if (isTypeName(field.value)) return kindOf(column) === "document";
    if (element === undefined) return fields.includes(isList ? "json" : field.value);
    return isList && fields.includes(field.value);
  }
  if (kindOf(column) === "document") return true;
  if (keywordOf(field, "$ref") !== undefined) return false;
  const type = keywordOf(field, "type");
  if (type?.kind !== "scalar") return true;
  if (element !== undefined) return type.text === "array";
  const shorthand = shorthandOf.get(type.text);
  return shorthand === undefined || factsOf(column).fields.includes(shorthand);
}

const shorthandOf: ReadonlyMap<string, FieldType> = new Map([
  ["string", "string"],
  ["integer", "integer"],
  ["number", "number"],
  ["boolean", "boolean"],
  ["array", "json"],
  ["object", "json"],
]);

function keywordOf(field: Extract<FieldNode, { kind: "open" }>, keyword: string): Value | undefined {
  return field.value.entries.find((entry) => entry.key === keyword)?.value;
}
