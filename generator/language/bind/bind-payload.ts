import { type Naming, wireName } from "../../vocabulary/namings.js";
import { shownType } from "../field-type.js";
import type {
  FieldNode,
  MappedFieldNode,
  NestedFieldsNode,
  PayloadFieldNode,
  PayloadNode,
} from "../grammar.js";
import type { NamedNode, TextNode } from "../node.js";
import type {
  ColumnSource,
  ColumnSymbol,
  FieldSource,
  FieldSymbol,
  TableSymbol,
  TypeSymbol,
} from "../symbols.js";
import type { ColumnPath } from "../words.js";
import { isUnknownType } from "./bind-types.js";

export interface PayloadScope {
  readonly types: ReadonlyMap<string, TypeSymbol>;
  /** Which emits the event. */
  readonly table: TableSymbol | undefined;
  /** Of its database. */
  readonly tables: ReadonlyMap<string, TableSymbol>;
  readonly naming: Naming;
  /** A row that is inserted was nothing before. */
  readonly mayInsert: boolean;
}

type FieldEntry = NamedNode<string, PayloadFieldNode>;

/** The fields of an event, each with what fills it: the column that the wire calls so where nothing else is said. */
export function bindPayload(node: PayloadNode | undefined, scope: PayloadScope): readonly FieldSymbol[] {
  return (node?.entries ?? []).map((entry) => bindField(entry, scope));
}

/** `declared`: its type within the type that the object around it is. */
function bindField(entry: FieldEntry, scope: PayloadScope, declared?: FieldNode): FieldSymbol {
  const { name, node: field } = entry;
  const source = sourceOf(entry, scope);
  const type = field?.kind === "mapping" ? typeOf(field, source, { ...scope, declared }) : field;
  return {
    name: name.value,
    span: name.span,
    node: type === undefined || isUnknownType(type, scope.types) ? undefined : type,
    source,
  };
}

function sourceOf({ name, node: field }: FieldEntry, scope: PayloadScope): FieldSource | undefined {
  if (field?.kind === "mapping" && isNested(field)) {
    const { fields, type } = field.get;
    const declared = new Map(
      scope.types.get(type?.value ?? "")?.fields.map((each) => [each.name, each.node]),
    );
    const inner = (fields?.entries ?? []).map((entry) =>
      bindField(entry, scope, declared.get(entry.name.value)),
    );
    return { kind: "object", span: field.span, fields: inner, type };
  }
  const { table } = scope;
  if (table === undefined) return undefined;
  if (field === undefined) return undefined;
  if (field.kind === "mapping")
    return field.get.from === undefined ? undefined : followed(field.get.from, table, scope);
  const column = columnCalled(name.value, table, scope.naming);
  const constant = field.kind === "open" && field.value.entries.find(({ key }) => key === "const");
  return constant && !table.columns.has(column)
    ? { kind: "constant", span: name.span, value: constant.value }
    : {
        kind: "column",
        column,
        span: name.span,
        by: undefined,
        of: table,
        target: table.columns.get(column),
      };
}

function followed(
  { value: { column, through }, span }: TextNode<ColumnPath>,
  table: TableSymbol,
  { tables }: PayloadScope,
): ColumnSource {
  const own = { column, span, by: undefined, of: table, target: table.columns.get(column) };
  if (through === undefined) return { kind: "column", ...own };
  if (through === "old") return { kind: "old", ...own };
  const references = table.columns.get(through)?.node?.get.references?.value;
  const of = references === undefined ? undefined : tables.get(references);
  return { kind: "referenced", column, span, by: through, of, target: of?.columns.get(column) };
}

function columnCalled(field: string, table: TableSymbol, naming: Naming): string {
  if (naming === "columns") return field;
  return [...table.columns.keys()].find((column) => wireName(column, naming) === field) ?? field;
}

export function isNested(field: MappedFieldNode | NestedFieldsNode): field is NestedFieldsNode {
  return "fields" in field.keySpans;
}

function typeOf(
  field: MappedFieldNode | NestedFieldsNode,
  source: FieldSource | undefined,
  scope: PayloadScope & { readonly declared: FieldNode | undefined },
): FieldNode | undefined {
  if (isNested(field)) return undefined;
  if (field.keySpans.type !== undefined) return field.get.type;
  if (scope.declared !== undefined) return { ...scope.declared, span: field.get.from?.span ?? field.span };
  return source === undefined || !("target" in source) ? undefined : shownAs(source, scope);
}

/** The type that a field has where it says none. */
function shownAs(source: ColumnSource, scope: PayloadScope): FieldNode | undefined {
  const { target, span } = source;
  if (target?.type === undefined) return undefined;
  const { type: value, isList } = shownType(target.type);
  const suffix = `${isList ? "[]" : ""}${mayLack(source, scope) ? "?" : ""}`;
  return { kind: "choice", span, value, suffix };
}

/** Whether what fills the field may be nothing. */
export function mayLack(
  { kind, target, by }: ColumnSource,
  { table, mayInsert }: Pick<PayloadScope, "table" | "mayInsert">,
): boolean {
  const reference: ColumnSymbol | undefined = by === undefined ? undefined : table?.columns.get(by);
  return target?.nullable === true || reference?.nullable === true || (kind === "old" && mayInsert);
}
