import { fieldTypeNames } from "@meshwright/runtime/column-types";
import type { Report } from "../../diagnostics/report.js";
import { isNested } from "../../language/bind/bind-payload.js";
import { foreignFieldType } from "../../language/foreign-types.js";
import type { PayloadFieldNode } from "../../language/grammar.js";
import type { Program } from "../../language/program.js";
import type { TypeSymbol } from "../../language/symbols.js";
import { type TypeUse, typeUses } from "../../language/type-uses.js";
import { tableNames } from "../../model/names.js";
import type { Span } from "../../source/text.js";
import type { Rule } from "../rule.js";

/** Fields that a type may hold, those of the types in it counted at each of their places: validators and CHECKs are made of all of them. */
const MOST_FIELDS = 1000;

/** The types of `types` have names of their own, hold fields, and end; what names a type names one of them. */
export const checkNamedTypes: Rule = (program, report) => {
  checkNames(program, report);
  for (const use of usesIn(program)) checkUse(use, program, report);
  const isCircular = checkCircles(program, report);
  const sizes = new Map<TypeSymbol, number>();
  for (const type of program.types.values()) {
    if (type.fields.length === 0) report("empty-type", type.span, { type: type.name });
    if (isCircular || sizeOf(type, program, sizes) <= MOST_FIELDS) continue;
    // A type that holds it is too large as well, which follows from this.
    sizes.set(type, 0);
    const what = `with the types in it, "${type.name}" holds`;
    report("too-large", type.span, { what, limit: `${MOST_FIELDS.toLocaleString("en")} fields` });
  }
};

/** A type that nothing names is a draft, or a field that was forgotten. */
export const adviseNamedTypes: Rule = (program, report) => {
  const used = new Set(usesIn(program).map(({ name }) => name));
  for (const { name, span } of program.types.values())
    if (!used.has(name)) report("unused-type", span, { type: name });
};

/** Also of types that do not exist. */
function usesIn({ node }: Program): readonly TypeUse[] {
  const payloads = (node.get.subjects?.entries ?? []).map((subject) => subject.node?.get.payload);
  const types = (node.get.types?.entries ?? []).map((type) => type.node);
  const fields = [...payloads, ...types].flatMap((each) => each?.entries ?? []);
  return fields.flatMap(({ node: field }) => usesWithin(field));
}

function usesWithin(field: PayloadFieldNode | undefined): readonly TypeUse[] {
  if (field?.kind !== "mapping") return field === undefined ? [] : typeUses(field);
  if (!isNested(field)) return field.get.type === undefined ? [] : typeUses(field.get.type);
  const { fields, type } = field.get;
  return [
    ...(type === undefined ? [] : [{ name: type.value, span: type.span, isReference: false }]),
    ...(fields?.entries ?? []).flatMap(({ node }) => usesWithin(node)),
  ];
}

function checkUse({ name, span, isReference }: TypeUse, { types }: Program, report: Report): void {
  if (types.has(name)) return;
  const last = name.split("/").at(-1) ?? name;
  const meant = types.get(last);
  const advice = isReference ? undefined : foreignFieldType(name);
  const known = new Map<string, TypeSymbol | undefined>([
    ...types,
    ...(isReference ? [] : fieldTypeNames).map((each) => [each, undefined] as const),
  ]);
  if (advice !== undefined) report("unknown-named-type", span, { type: name }, { advice });
  else if (meant !== undefined)
    report("unknown-named-type", span, { type: name }, { meant: last, at: meant.span });
  else report("unknown-named-type", span, { type: name }, report.nearest(last, known, spanOf));
}

function spanOf(type: TypeSymbol | undefined): Span | undefined {
  return type?.span;
}

/** Events and rows are types too, which services import beside them. */
function checkNames(program: Program, report: Report): void {
  const taken = new Map<string, { readonly what: string; readonly span: Span }>();
  for (const database of program.databases.values())
    for (const { name, span, node } of database.tables.values()) {
      const { value: _, ...types } = tableNames(name, node?.get.row?.value);
      for (const type of Object.values(types)) taken.set(type, { what: `table "${name}"`, span });
    }
  for (const { name } of program.events)
    if (name !== undefined) taken.set(name.value, { what: `event "${name.value}"`, span: name.span });
  for (const { name, span } of program.types.values()) {
    const other = taken.get(name);
    if (other === undefined) continue;
    const parameters = { what: `type "${name}"`, other: other.what, generated: name };
    report("name-collision", span, parameters, { first: other.span });
  }
}

function typesIn(type: TypeSymbol, { types }: Program): readonly TypeSymbol[] {
  return type.fields.flatMap(({ node }) =>
    (node === undefined ? [] : typeUses(node)).flatMap(({ name }) => types.get(name) ?? []),
  );
}

/** Reports each circle once. */
function checkCircles(program: Program, report: Report): boolean {
  const done = new Set<TypeSymbol>();
  let found = false;
  const visit = (type: TypeSymbol, path: readonly TypeSymbol[]): void => {
    const start = path.indexOf(type);
    if (start >= 0) {
      found = true;
      const circle = [...path.slice(start), type].map(({ name }) => name);
      report("circular-type", type.span, { type: type.name, path: circle });
    }
    if (start >= 0 || done.has(type)) return;
    for (const inner of typesIn(type, program)) visit(inner, [...path, type]);
    done.add(type);
  };
  for (const type of program.types.values()) visit(type, []);
  return found;
}

function sizeOf(type: TypeSymbol, program: Program, sizes: Map<TypeSymbol, number>): number {
  const known = sizes.get(type);
  if (known !== undefined) return known;
  const inner = typesIn(type, program).map((each) => sizeOf(each, program, sizes));
  const size = inner.reduce((sum, each) => sum + each, type.fields.length);
  sizes.set(type, size);
  return size;
}
