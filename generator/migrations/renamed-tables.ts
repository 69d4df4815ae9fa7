import type { ColumnSchema, TableSchema } from "./database-schema.js";
import type { Matches } from "./match.js";

/** A table that stays, perhaps under another name. */
export interface TablePair {
  readonly previous: TableSchema;
  readonly next: TableSchema;
  readonly columns: Matches<ColumnSchema>;
}

/** What became of the tables and columns that stay: old names to new ones. */
export type TableNames = ReadonlyMap<string, TableName>;

export interface TableName {
  readonly table: string;
  readonly columns: ReadonlyMap<string, string>;
  /** Columns, by their new names, that get another SQL type. */
  readonly retyped: ReadonlySet<string>;
  /** Its key is of other columns. */
  readonly rekeyed: boolean;
}

export function tableName({ previous: before, next: after, columns: matches }: TablePair): TableName {
  const retyped = matches.kept.filter(({ previous, next }) => previous.type !== next.type);
  return {
    table: after.name,
    columns: columnsOf(matches),
    retyped: new Set(retyped.map(({ next }) => next.name)),
    rekeyed: translate(before.key.columns, columnsOf(matches))?.join() !== after.key.columns.join(),
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
