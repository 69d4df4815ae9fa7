import { kindOf } from "@meshwright/runtime/column-types";
import { carriersOf, fieldsFor, isDecimalText } from "../../language/carriers.js";
import { targetOf } from "../../language/cascade-target.js";
import type { Program } from "../../language/program.js";
import type { ColumnSymbol, TableSymbol } from "../../language/symbols.js";

/**
 * The columns that travel as decimal strings: whole numbers that events carry as `bigint`, and those that hold
 * the key of such a table, or the id of such an entity, unless events carry them otherwise.
 */
export function wideColumns(program: Program): ReadonlySet<ColumnSymbol> {
  const tables = [...program.databases.values()].flatMap((database) =>
    [...database.tables.values()].map((table) => ({ table, database })),
  );
  const wide = new Set<ColumnSymbol>();
  const holders = new Map<ColumnSymbol, readonly ColumnSymbol[]>();
  for (const { table, database } of tables) {
    const carriers = carriersOf(table, program);
    for (const column of table.columns.values()) {
      if (column.type === undefined || kindOf(column.type) !== "whole number") continue;
      const fieldsOf = fieldsFor(column, table, program);
      const fields = carriers.flatMap((event) => fieldsOf(event).flatMap(({ node }) => node ?? []));
      if (fields.some(isDecimalText)) wide.add(column);
      if (fields.length > 0) continue;
      const references = column.node?.get.references?.value;
      const parent = references === undefined ? undefined : database.tables.get(references);
      holders.set(column, [...(parent?.key ?? []), ...cascadedKeys(table, column, program)]);
    }
  }
  let size: number;
  do {
    size = wide.size;
    for (const [column, keys] of holders) if (keys.some((key) => wide.has(key))) wide.add(column);
  } while (wide.size > size);
  return wide;
}

/** Keys of the entities on whose deletion a cascade looks the column up. */
function cascadedKeys(table: TableSymbol, column: ColumnSymbol, program: Program): readonly ColumnSymbol[] {
  const rules = program.cascades.filter((rule) => {
    const { get } = rule;
    const target = targetOf(rule)?.column.value;
    const service = program.services.get(get.service?.value ?? "");
    return (
      target?.table === table.name &&
      target.column === column.name &&
      service?.database?.tables.get(table.name) === table
    );
  });
  return rules.flatMap(({ get }) => {
    const entityName = get.on === undefined ? "" : `${get.on.value.service}.${get.on.value.entity}`;
    const owners = program.entities.get(entityName)?.events.flatMap((event) => event.table?.key ?? []) ?? [];
    const caches = [...program.databases.values()].flatMap((database) =>
      [...database.tables.values()]
        .filter(({ cacheOf }) => cacheOf?.text === entityName)
        .flatMap(({ key }) => key),
    );
    return [...owners, ...caches];
  });
}
