import type { TypeSymbol } from "../../language/symbols.js";
import type { JsonSchema, NamedType } from "../mesh.js";
import { buildField } from "./build-field.js";

export function buildTypes(symbols: ReadonlyMap<string, TypeSymbol>): readonly NamedType[] {
  const built = new Map<string, NamedType>();
  const build = (symbol: TypeSymbol): NamedType => {
    const known = built.get(symbol.name);
    if (known !== undefined) return known;
    const definitionOf = (name: string) => {
      const inner = symbols.get(name);
      return inner === undefined ? undefined : schemaOfFields(build(inner).fields);
    };
    const fields = symbol.fields.map((field) => buildField(field, { definitionOf }));
    const type = { name: symbol.name, fields };
    built.set(symbol.name, type);
    return type;
  };
  return [...symbols.values()].map(build);
}

/** The object that the fields are, of schemas that stand on their own. */
export function schemaOfFields(fields: NamedType["fields"]): JsonSchema {
  return {
    type: "object",
    properties: Object.fromEntries(fields.map(({ name, schema }) => [name, schema])),
    required: fields.filter(({ optional }) => !optional).map(({ name }) => name),
  };
}
