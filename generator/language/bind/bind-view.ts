import type { DatabaseNode, ViewColumnNode, ViewNode } from "../grammar.js";
import type { NamedNode } from "../node.js";
import type { ViewColumnSymbol, ViewSymbol } from "../symbols.js";

export function bindView(
  { name, node }: NamedNode<string, ViewNode>,
  database: DatabaseNode | undefined,
): ViewSymbol {
  const said = (node?.get.schema ?? database?.get.schema)?.value;
  const known = node?.get.view?.value;
  const schema =
    said ?? (known !== undefined || database?.get.existing?.value === true ? "public" : undefined);
  const columns = (node?.get.columns?.entries ?? []).map(bindColumn);
  const named = new Map(columns.map((column) => [column.name, column]));
  const listed = node?.get.key?.items;
  return {
    name: name.value,
    span: name.span,
    node,
    at: schema === undefined ? undefined : { schema, table: known ?? name.value },
    columns: named,
    key:
      listed === undefined
        ? columns.filter((column) => column.node?.get.key?.value === true).slice(0, 1)
        : [...new Set(listed.map(({ value }) => value))].flatMap((column) => named.get(column) ?? []),
  };
}

function bindColumn({ name, node }: NamedNode<string, ViewColumnNode>): ViewColumnSymbol {
  const place = { name: name.value, span: name.span };
  return node?.kind === "mapping"
    ? {
        ...place,
        type: node.get.type?.value,
        nullable: node.get.null?.value ?? false,
        node,
      }
    : {
        ...place,
        type: node?.value,
        nullable: node?.suffix === "?",
        node: undefined,
      };
}
