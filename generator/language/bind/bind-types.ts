import type { FieldNode, MeshNode } from "../grammar.js";
import type { DictionaryNode } from "../node.js";
import type { FieldSymbol, TypeSymbol } from "../symbols.js";
import { isTypeName } from "../type-name.js";

export interface TypeNames {
  has(name: string): boolean;
}

export function bindTypes(node: MeshNode): ReadonlyMap<string, TypeSymbol> {
  const entries = node.get.types?.entries ?? [];
  const names = new Set(entries.map(({ name }) => name.value));
  return new Map(
    entries.map(({ name: { value: name, span }, node: fields }) => [
      name,
      { name, span, fields: bindFields(fields, names) },
    ]),
  );
}

function bindFields(
  node: DictionaryNode<string, FieldNode> | undefined,
  types: TypeNames,
): readonly FieldSymbol[] {
  return (node?.entries ?? []).map(({ name, node: field }) => ({
    name: name.value,
    span: name.span,
    node: field === undefined || isUnknownType(field, types) ? undefined : field,
    source: undefined,
  }));
}

/** A field of a type that does not exist has no node, as if it were misread: a rule says so. */
export function isUnknownType(field: FieldNode, types: TypeNames): boolean {
  return field.kind === "choice" && isTypeName(field.value) && !types.has(field.value);
}
