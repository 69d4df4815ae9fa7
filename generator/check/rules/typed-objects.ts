import { fieldTypes } from "@meshwright/runtime/column-types";
import type { Report } from "../../diagnostics/report.js";
import type { FieldNode } from "../../language/grammar.js";
import { describeFound } from "../../language/read.js";
import type { FieldSymbol, ObjectSource, TypeSymbol } from "../../language/symbols.js";
import { isTypeName } from "../../language/type-name.js";
import type { Value } from "../../source/value.js";
import { describeField, isOptional } from "../fields.js";
import type { Rule } from "../rule.js";

/** An object of fields that says a type is of that type: it has its fields, and no others. */
export const checkTypedObjects: Rule = (program, report) => {
  for (const { fields, table } of program.events)
    for (const { source } of fields.values()) {
      if (table === undefined || source?.kind !== "object" || source.type === undefined) continue;
      const type = program.types.get(source.type.value);
      if (type !== undefined) checkObject(source, type, report);
    }
};

function checkObject({ fields, type: written }: ObjectSource, type: TypeSymbol, report: Report): void {
  const declared = new Map(type.fields.map((field) => [field.name, field]));
  for (const field of fields) checkField(field, declared, type, report);
  // A field that is misspelt is perhaps the one that is missing.
  if (fields.some(({ name }) => !declared.has(name))) return;
  for (const { name, node } of type.fields)
    if (
      written !== undefined &&
      node !== undefined &&
      !isOptional(node) &&
      !fields.some((each) => each.name === name)
    )
      report("not-of-type", written.span, {
        type: type.name,
        reason: `it has no "${name}"`,
        fix: `add "${name}"`,
      });
}

/** Whether a constant has the JSON type of the field; a JSON Schema is trusted. */
function mayBe(value: Value, field: FieldNode): boolean {
  if (field.kind !== "choice" || isTypeName(field.value)) return true;
  const wanted = fieldTypes[field.value];
  if (field.suffix.startsWith("[]")) return value.kind === "list";
  if (wanted === undefined) return true;
  if (value.kind !== "scalar") return false;
  if (value.value === null) return isOptional(field);
  return wanted === "integer" ? Number.isInteger(value.value) : typeof value.value === wanted;
}

function checkField(
  { name, span, node, source }: FieldSymbol,
  declared: ReadonlyMap<string, FieldSymbol>,
  type: TypeSymbol,
  report: Report,
): void {
  const there = declared.get(name);
  if (there === undefined) {
    const parameters = { type: type.name, reason: `that has no "${name}"`, fix: `remove "${name}"` };
    report(
      "not-of-type",
      span,
      parameters,
      report.nearest(name, declared, (field) => field.span),
    );
    return;
  }
  if (node === undefined || there.node === undefined) return;
  if (source?.kind === "column" && source.target === undefined) return;
  const wanted = describeField(there.node);
  const isConstant = source?.kind === "constant";
  const said = isConstant ? describeFound(source.value) : describeField(node);
  if (isConstant ? mayBe(source.value, there.node) : said === wanted) return;
  const fix = isConstant ? `write a constant that is ${wanted}` : "leave the type out";
  report("not-of-type", isConstant ? source.value.span : node.span, {
    type: type.name,
    reason: `"${name}" is ${said} here, and ${wanted} there`,
    fix,
  });
}
