import type { TypeSymbol } from "../../language/symbols.js";
import type { NamedType } from "../mesh.js";
import { buildField, schemaOfFields } from "./build-field.js";

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
