import type { Span } from "../source/text.js";
import type { Value } from "../source/value.js";
import { valueKeywords } from "../vocabulary/json-schema.js";
import type { FieldNode } from "./grammar.js";
import { isTypeName } from "./type-name.js";

export interface TypeUse {
  readonly name: string;
  readonly span: Span;
  /** `$ref` of a JSON Schema. */
  readonly isReference: boolean;
}

/** Where a field names types of `types`, or of nowhere. */
export function typeUses(field: FieldNode): readonly TypeUse[] {
  if (field.kind === "open") return references(field.value);
  return isTypeName(field.value) ? [{ name: field.value, span: field.span, isReference: false }] : [];
}

function references(schema: Value): readonly TypeUse[] {
  if (schema.kind === "list") return schema.items.flatMap(references);
  if (schema.kind !== "mapping") return [];
  return schema.entries.flatMap(({ key, value }): readonly TypeUse[] => {
    if (key === "$ref" && value.kind === "scalar")
      return [{ name: value.text, span: value.span, isReference: true }];
    if (valueKeywords.has(key)) return [];
    if (key === "properties" && value.kind === "mapping")
      return value.entries.flatMap((property) => references(property.value));
    return references(value);
  });
}
