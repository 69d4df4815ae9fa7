import type { ColumnSchema } from "./database-schema.js";
import type { Matches } from "./match.js";

/** What became of the tables and columns that stay: old names to new ones. */
export type TableNames = ReadonlyMap<string, TableName>;

export interface TableName {
  readonly table: string;
  readonly columns: ReadonlyMap<string, string>;
  /** Columns, by their new names, that get another SQL type. */
  readonly retyped: ReadonlySet<string>;
}

export function tableName(table: string, matches: Matches<ColumnSchema>): TableName {
  const retyped = matches.kept.filter(({ previous, next }) => previous.type !== next.type);
  return {
    table,
    columns: columnsOf(matches),
    retyped: new Set(retyped.map(({ next }) => next.name)),
  };
}

export function columnsOf(matches: Matches<ColumnSchema>): ReadonlyMap<string, string> {
  return new Map(matches.kept.map(({ previous, next }) => [previous.name, next.name]));
}

/** The columns under their new names; undefined when one of them goes. */
export function translate(
  columns: readonly string[],
  names: ReadonlyMap<string, string>,
): readonly string[] | undefined {
  const translated = columns.flatMap((column) => names.get(column) ?? []);
  return translated.length === columns.length ? translated : undefined;
}
