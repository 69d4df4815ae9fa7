import type { ColumnNode } from "../grammar/database-grammar.js";
import type { DatabaseNode, MeshNode, TableNode } from "../grammar.js";
import type { NamedNode } from "../node.js";
import type { ColumnSymbol, DatabaseSymbol, TableSymbol } from "../symbols.js";
import { bindView } from "./bind-view.js";

export function bindDatabases(node: MeshNode): Map<string, DatabaseSymbol> {
  const entries = node.get.databases?.entries ?? [];
  return new Map(entries.map((entry) => [entry.name.value, bindDatabase(entry)]));
}

function bindDatabase({ name, node }: NamedNode<string, DatabaseNode>): DatabaseSymbol {
  const tables = node?.get.tables?.entries ?? [];
  return {
    name: name.value,
    span: name.span,
    node,
    owners: [],
    shares: node?.get.shares,
    tables: new Map(tables.map((entry) => [entry.name.value, bindTable(entry, node)])),
    views: new Map(
      (node?.get.views?.entries ?? []).map((entry) => [entry.name.value, bindView(entry, node)]),
    ),
  };
}

function bindTable(
  { name, node }: NamedNode<string, TableNode>,
  database: DatabaseNode | undefined,
): TableSymbol {
  const existing =
    node?.get.existing?.value ?? (node?.get.cache === undefined && database?.get.existing?.value === true);
  const schema = (node?.get.schema ?? database?.get.schema)?.value ?? (existing ? "public" : undefined);
  const listed = node?.get.key?.items.map(({ value }) => value);
  const columns = (node?.get.columns?.entries ?? []).map((entry) => bindColumn(entry, listed));
  const named = new Map(columns.map((column) => [column.name, column]));
  return {
    name: name.value,
    span: name.span,
    node,
    existing,
    at: schema === undefined ? undefined : { schema, table: node?.get.table?.value ?? name.value },
    columns: named,
    key:
      listed === undefined
        ? columns.filter((column) => column.key).slice(0, 1)
        : [...new Set(listed)].flatMap((column) => named.get(column) ?? []),
    softDelete: node?.get.soft_delete,
    cacheOf: node?.get.cache,
  };
}

/** `listed`: the key of the table, where it is a list. */
function bindColumn(
  { name, node }: NamedNode<string, ColumnNode>,
  listed: readonly string[] = [],
): ColumnSymbol {
  const place = { name: name.value, span: name.span };
  if (node?.kind !== "mapping") {
    return {
      ...place,
      type: node?.value,
      nullable: node?.suffix === "?",
      key: listed.includes(name.value),
      local: false,
      from: undefined,
      node: undefined,
    };
  }
  return {
    ...place,
    type: node.get.type?.value,
    nullable: node.get.null?.value ?? false,
    key: listed.includes(name.value) || node.get.key?.value === true,
    local: node.get.local?.value ?? false,
    from: node.get.from,
    node,
  };
}
