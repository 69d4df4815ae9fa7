import { type Naming, wireName } from "../../vocabulary/namings.js";
import { shownType } from "../field-type.js";
import type { FieldNode, PayloadFieldNode, PayloadNode } from "../grammar.js";
import type { ChoiceNode } from "../node.js";
import type { ColumnSymbol, FieldSource, FieldSymbol, TableSymbol } from "../symbols.js";
import { isUnknownType, type TypeNames } from "./bind-types.js";

export interface PayloadScope {
  readonly types: TypeNames;
  /** Which emits the event. */
  readonly table: TableSymbol | undefined;
  readonly naming: Naming;
}

/** The fields of an event, each with what fills it: the column that the wire calls so where nothing else is said. */
export function bindPayload(node: PayloadNode | undefined, scope: PayloadScope): readonly FieldSymbol[] {
  return (node?.entries ?? []).map(({ name, node: field }) => {
    const source = sourceOf(field, { column: columnCalled(name.value, scope), span: name.span });
    const type = typeOf(field, scope.table?.columns.get(source.column));
    return {
      name: name.value,
      span: name.span,
      node: type === undefined || isUnknownType(type, scope.types) ? undefined : type,
      source: scope.table === undefined ? undefined : source,
    };
  });
}

function columnCalled(field: string, { table, naming }: PayloadScope): string {
  if (naming === "columns") return field;
  return [...(table?.columns.keys() ?? [])].find((column) => wireName(column, naming) === field) ?? field;
}

function sourceOf(field: PayloadFieldNode | undefined, own: FieldSource): FieldSource {
  const from = field?.kind === "mapping" ? field.get.from : undefined;
  return from === undefined ? own : { column: from.value, span: from.span };
}

function typeOf(
  field: PayloadFieldNode | undefined,
  column: ColumnSymbol | undefined,
): FieldNode | undefined {
  if (field?.kind !== "mapping") return field;
  if (field.keySpans.type !== undefined) return field.get.type;
  return column?.type === undefined || field.get.from === undefined
    ? undefined
    : shownAs(column, field.get.from.span);
}

/** The type that a field of the column has where it says none. */
function shownAs({ type, nullable }: ColumnSymbol, span: ChoiceNode<never>["span"]): FieldNode | undefined {
  if (type === undefined) return undefined;
  const shown = shownType(type);
  return {
    kind: "choice",
    span,
    value: shown.type,
    suffix: `${shown.isList ? "[]" : ""}${nullable ? "?" : ""}`,
  };
}
