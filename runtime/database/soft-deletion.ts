import { escapeIdentifier } from "pg";
import type { ColumnDefinition, TableDefinition } from "../definition/table-definition.js";
import { deletionExpression, livesExpression } from "../values/column-sql.js";
import { relationOf } from "./relation.js";

/*
 * Rows of a table that deletes softly: one in which its column is set exists for nobody but SQL.
 */

/** Deletes the rows that meet the conditions, each over the alias `"$t"`. A row that is softly deleted already is no row. */
export function deletionSql(table: TableDefinition, conditions: readonly string[]): string {
  const name = relationOf(table);
  const column = deletionColumn(table);
  if (column === undefined) return `DELETE FROM ${name} AS "$t" WHERE ${conditions.join(" AND ")}`;
  const set = `${escapeIdentifier(column.name)} = ${deletionExpression(column)}`;
  const living = [...conditions, ...livingRows(table, '"$t"')];
  return `UPDATE ${name} AS "$t" SET ${set} WHERE ${living.join(" AND ")}`;
}

/** SQL: the condition under which a row exists; empty: always. */
export function livingRows(table: TableDefinition, alias: string): readonly string[] {
  const column = deletionColumn(table);
  return column === undefined ? [] : [livesExpression(column, `${alias}.${escapeIdentifier(column.name)}`)];
}

function deletionColumn({ columns, softDelete }: TableDefinition): ColumnDefinition | undefined {
  return columns.find(({ name }) => name === softDelete);
}
