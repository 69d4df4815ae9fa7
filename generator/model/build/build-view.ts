import type { DatabaseSymbol, ViewColumnSymbol, ViewSymbol } from "../../language/symbols.js";
import type { Column, View } from "../mesh.js";
import { tableNames } from "../names.js";
import { anyJson } from "./any-json.js";
import { required } from "./invariant.js";
import { shownName } from "./shown-name.js";

export function buildView({ name, at, node, columns, key }: ViewSymbol, database: DatabaseSymbol): View {
  const { row, value } = tableNames(name, node?.get.row?.value);
  return {
    name,
    at,
    description: node?.get.description?.value,
    key: key.map((column) => column.name),
    columns: [...columns.values()].map((column) =>
      buildColumn(column, { isKey: key.includes(column), database }),
    ),
    names: { row, value },
  };
}

function buildColumn(
  column: ViewColumnSymbol,
  { isKey, database }: { readonly isKey: boolean; readonly database: DatabaseSymbol },
): Column {
  const type = required(column.type, `the type of ${column.name}`);
  return {
    name: column.name,
    description: column.node?.get.description?.value,
    type,
    // No check holds a view to what a double can tell.
    wide: type === "bigint" ? true : undefined,
    anyJson: anyJson(type, { existing: true }),
    nullable: column.nullable,
    key: isKey,
    unique: false,
    shown: shownName(column, database),
    filledBy: undefined,
    local: undefined,
    private: column.node?.get.private?.value === true ? true : undefined,
    default: undefined,
    defaulted: undefined,
    oneOf: undefined,
    check: undefined,
    references: undefined,
    renamedFrom: undefined,
  };
}
