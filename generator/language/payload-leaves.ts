import type { FieldSymbol } from "./symbols.js";

/** The fields themselves, with those within objects in place of the objects. */
export function leavesOf(fields: Iterable<FieldSymbol>): readonly FieldSymbol[] {
  return [...fields].flatMap((field) =>
    field.source?.kind === "object" ? leavesOf(field.source.fields) : [field],
  );
}
