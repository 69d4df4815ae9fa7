import { exactExpression } from "@meshwright/runtime/column-sql";
import { factsOf, kindOf } from "@meshwright/runtime/column-types";
import { identifier, literal } from "../../../migrations/sql-names.js";
import { constant, momentConstant } from "../../../migrations/sql-types.js";
import type { ColumnType, Event, Table } from "../../../model/mesh.js";
import { hasOffset, withOffset } from "../../../model/moment.js";
import { payloadColumns } from "./payload.js";

export type Operation = "insert" | "update" | "delete";

/** FROM: the transition tables of an operation, and the alias of the row that the event is made from. */
export interface RowSource {
  readonly row: string;
  readonly from: string;
}

/**
 * An update has each row twice; its key ties the two together, for a key is never changed. Rows that
 * foreign keys alone set to NULL may pass several times within one statement (once per key), so
 * where a table has several such keys the first old and the last new row count.
 */
export function rowSource(table: Table, operation: Operation): RowSource {
  if (operation === "insert") return { row: "added", from: "new_rows AS added" };
  if (operation === "delete") return { row: "removed", from: "old_rows AS removed" };
  const key = identifier(table.key);
  const nulling = table.columns.filter((column) => column.references?.onDelete === "set_null");
  // What exists may have references that this file does not name.
  const passes = table.existing === true ? 2 : nulling.length;
  const once = (rows: string, order: string) =>
    passes < 2
      ? rows
      : `(
            SELECT DISTINCT ON (pass.${key}) pass.*
            FROM (SELECT ${rows}.*, row_number() OVER () AS "pass number" FROM ${rows}) AS pass
            ORDER BY pass.${key}, pass."pass number"${order}
        )`;
  return {
    row: "after",
    from: `${once("old_rows", "")} AS before JOIN ${once("new_rows", " DESC")} AS after ON after.${key} = before.${key}`,
  };
}

/**
 * Whether foreign keys may both change and delete a row within one statement: then the triggers of the two
 * fire in either order, and no `updated` event may be written of a row that is gone.
 */
export function mayFall(table: Table, operation: Operation): boolean {
  if (table.existing === true) return operation === "update";
  const actions = new Set(table.columns.map((column) => column.references?.onDelete));
  return operation === "update" && actions.has("set_null") && actions.has("cascade");
}

/** When a row means the event; undefined: always. */
export function condition(event: Event, table: Table, operation: Operation): string | undefined {
  const meant = meaning(event, table, operation);
  return mayFall(table, operation)
    ? `${meant} AND after.${identifier(table.key)}::text <> ALL (gone)`
    : meant;
}

function meaning(event: Event, table: Table, operation: Operation): string | undefined {
  const when = event.emit?.when ?? [];
  if (operation !== "update") {
    return when.length === 0 ? undefined : holds(event, table, rowSource(table, operation).row);
  }
  // On becoming so: a row that held the values before does not mean the event again.
  if (when.length > 0)
    return `${holds(event, table, "after")} AND (${holds(event, table, "before")}) IS NOT TRUE`;
  const named = table.columns.filter(({ name }) => name === event.emit?.id);
  const shown = [...new Set([...payloadColumns(event, table), ...named])].filter(
    (column) => column.name !== table.key,
  );
  // An event that carries only the key is written for any change. Without `.*`, a column of that name would be meant.
  if (shown.length === 0) return "before.* IS DISTINCT FROM after.*";
  const side = (row: string) =>
    shown.map((column) => exactExpression(column, `${row}.${identifier(column.name)}`)).join(", ");
  return `(${side("before")}) IS DISTINCT FROM (${side("after")})`;
}

function holds(event: Event, table: Table, row: string): string {
  const terms = (event.emit?.when ?? []).map(({ column, value }) => {
    const type = table.columns.find(({ name }) => name === column)?.type;
    return `${row}.${identifier(column)} = ${conditionValue(value, type)}`;
  });
  return terms.join(" AND ");
}

function conditionValue(value: string | number | boolean, type: ColumnType | undefined): string {
  if (typeof value !== "string") return constant(value);
  if (type === undefined || kindOf(type) !== "moment") return literal(value);
  if (factsOf(type).zoned) return literal(withOffset(value));
  return hasOffset(value) ? momentConstant(value) : literal(value);
}
