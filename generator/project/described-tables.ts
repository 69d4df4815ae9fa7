import type { ExistingTable } from "@meshwright/runtime";
import type { Column, Database, Table } from "../model/mesh.js";

/** The tables of a database, as generated code tells the runtime of them. */
export function describedTables({ tables }: Database): readonly ExistingTable[] {
  return tables.map(toDefinition);
}

/** The same of its views. */
export function describedViews({ views }: Database): readonly ExistingTable[] {
  return views.map(({ name, at, key, columns }) => ({
    name,
    ...(at === undefined ? {} : { at }),
    key,
    columns: columns.map(toColumn),
  }));
}

function toDefinition({ name, at, key, columns, unique, existing, cache }: Table): ExistingTable {
  return {
    name,
    ...(at === undefined ? {} : { at }),
    key,
    columns: columns.map(toColumn),
    ...(cache && { cacheOf: cache.entity }),
    ...(existing && {
      existing: {
        unique,
        references: columns.flatMap(({ name: column, references: to }) =>
          to === undefined ? [] : [{ column, table: to.table, target: to.column, onDelete: to.onDelete }],
        ),
      },
    }),
  };
}

function toColumn({ name, type, nullable, unique, defaulted }: Column): ExistingTable["columns"][number] {
  return {
    name,
    type,
    ...(nullable && { nullable }),
    ...(unique && { unique }),
    ...(defaulted && { defaulted }),
  };
}
