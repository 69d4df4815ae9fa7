import { exactExpression, wireExpression } from "@meshwright/runtime/column-sql";
import { factsOf, kindOf } from "@meshwright/runtime/column-types";
import { comparedId, keyList, withoutKey } from "../../../migrations/row-sql.js";
import { identifier } from "../../../migrations/sql-names.js";
import { constant, momentConstant } from "../../../migrations/sql-types.js";
import type { Column, ColumnType, Condition, Event, Table } from "../../../model/mesh.js";
import { hasOffset, withOffset } from "../../../model/moment.js";
import { literal } from "../../../quote/sql.js";
import { type Occasion, occasionTerms } from "./occasions.js";
import { type EmittingRow, payloadColumns } from "./payload.js";

/** FROM: the transition tables of an operation, and the alias of the row that the event is made from. */
export interface RowSource extends EmittingRow {
  readonly from: string;
}

/** Of a row, its place among the statement's: no column is called so. By it events are handed on 10,000 at a time. */
export const ROW_NUMBER = '"row number"';
/** Of an update, all columns of a row: also those that mesh.yaml does not know. */
const WHOLE_ROW = '"whole row"';

/**
 * An update has each row twice; its key ties the two together, for a key is never changed. Rows that
 * foreign keys alone set to NULL may pass several times within one statement (once per key), so
 * where a table has several such keys the first old and the last new row count.
 * `order`: in which rows are numbered, as SQL; as they came where there is none.
 */
export function rowSource(
  table: Table,
  { statement, means }: Occasion,
  { order = [], whole = false }: { readonly order?: readonly string[]; readonly whole?: boolean } = {},
): RowSource {
  const by = order.length === 0 ? "" : `ORDER BY ${order.join(", ")}`;
  const all = (rows: string) => (whole ? `*, ROW(${rows}.*) AS ${WHOLE_ROW}` : "*");
  const numbered = (rows: string) =>
    `(SELECT ${all(rows)}, row_number() OVER (${by}) AS ${ROW_NUMBER} FROM ${rows})`;
  if (statement === "insert")
    return { row: "added", before: undefined, from: `${numbered("new_rows")} AS added` };
  if (statement === "delete")
    return { row: "removed", before: undefined, from: `${numbered("old_rows")} AS removed` };
  const key = keyList(table);
  const nulling = table.columns.filter((column) => column.references?.onDelete === "set_null");
  // What exists may have references that this file does not name.
  const passes = table.existing === true ? 2 : nulling.length;
  const once = (rows: string, direction: string) =>
    passes < 2
      ? rows
      : `(SELECT DISTINCT ON (${key}) * FROM ${rows} AS pass ORDER BY ${key}, ${ROW_NUMBER}${direction})`;
  const before = whole || passes > 1 ? numbered("old_rows") : "old_rows";
  return {
    row: "after",
    // A row that comes back was nothing before.
    before: means === "update" ? "before" : undefined,
    from: `${once(before, "")} AS before JOIN ${once(numbered("new_rows"), " DESC")} AS after USING (${key})`,
  };
}

/**
 * Whether foreign keys may both change and delete a row within one statement: then the triggers of the two
 * fire in either order, and no `updated` event may be written of a row that is gone.
 */
export function mayFall(table: Table, { statement, means }: Occasion): boolean {
  // A row that is softly deleted has no other event of its end.
  if (statement !== "update" || means === "delete") return false;
  if (table.existing === true) return true;
  const actions = new Set(table.columns.map((column) => column.references?.onDelete));
  return actions.has("set_null") && actions.has("cascade");
}

/** When a row means the event; undefined: always. */
export function condition(event: Event, table: Table, occasion: Occasion): string | undefined {
  const terms = [
    ...occasionTerms(table, occasion),
    ...meaning(event, table, occasion),
    ...(mayFall(table, occasion) ? [`${comparedId(table, "after")} <> ALL (gone)`] : []),
  ];
  return terms.length === 0 ? undefined : terms.join(" AND ");
}

function meaning(event: Event, table: Table, { statement, means }: Occasion): readonly string[] {
  const when = event.emit?.when ?? [];
  const held = (row: string) => (when.length === 0 ? [] : [holds(when, table, row)]);
  switch (statement) {
    case "insert":
      return held("added");
    case "delete":
      return held("removed");
    case "update":
      return means === "update" ? changeOf(event, table) : held("after");
    default:
      return statement satisfies never;
  }
}

function changeOf(event: Event, table: Table): readonly string[] {
  const when = event.emit?.when ?? [];
  const of = table.columns.filter(({ name }) => event.emit?.of.includes(name));
  if (of.length > 0) return [changed(of), ...(when.length > 0 ? [holds(when, table, "after")] : [])];
  // On becoming so: a row that held the values before does not mean the event again.
  if (when.length > 0) return [holds(when, table, "after"), `(${holds(when, table, "before")}) IS NOT TRUE`];
  if (emitsOnAnyChange(event, table, { statement: "update", means: "update" }))
    // Columns that mesh.yaml does not name may be of types without equality: json, xml, point.
    return [`before.${WHOLE_ROW} *<> after.${WHOLE_ROW}`];
  return [changed(shownColumns(event, table))];
}

/** Whether an update changed one of the columns. */
export function changed(columns: readonly Column[]): string {
  const side = (row: string) =>
    columns.map((column) => exactExpression(column, `${row}.${identifier(column.name)}`)).join(", ");
  return `(${side("before")}) IS DISTINCT FROM (${side("after")})`;
}

/** Whether an update means the event whatever it changed: its message shows only the key. */
export function emitsOnAnyChange(event: Event, table: Table, { means }: Occasion): boolean {
  const { when = [], of = [] } = event.emit ?? {};
  return means === "update" && when.length + of.length === 0 && shownColumns(event, table).length === 0;
}

function shownColumns(event: Event, table: Table): readonly Column[] {
  const named = table.columns.filter(({ name }) => name === event.emit?.id);
  return withoutKey(table, [...new Set([...payloadColumns(event, table), ...named])]);
}

/** That a row holds all of it; NULL where a column is and nothing is said of that. */
export function holds(conditions: readonly Condition[], table: Table, row: string): string {
  const terms = conditions.map(({ column, values, isNull }) => {
    const found = table.columns.find(({ name }) => name === column);
    const held = `${row}.${identifier(column)}`;
    if (isNull !== undefined) return isNullSql(held, found, isNull);
    const said = values.map((value) => conditionValue(value, found?.type));
    return said.length === 1 ? `${held} = ${said[0]}` : `${held} IN (${said.join(", ")})`;
  });
  return terms.join(" AND ");
}

/** A message shows the null of JSON as it shows that of SQL, so a condition takes both for null. */
function isNullSql(held: string, column: Column | undefined, isNull: boolean): string {
  const mayBeJsonNull = column !== undefined && kindOf(column.type) === "document";
  const value = mayBeJsonNull ? `nullif(${wireExpression(column, held)}, 'null')` : held;
  return `${value} IS ${isNull ? "NULL" : "NOT NULL"}`;
}

function isReal(type: ColumnType): boolean {
  const { kind, bits } = factsOf(type);
  return kind === "number" && bits !== undefined;
}

function conditionValue(value: string | number | boolean, type: ColumnType | undefined): string {
  // Beside a real a bare 0.1 is the double, which no real equals.
  if (typeof value === "number" && type !== undefined && isReal(type)) return literal(String(value));
  if (typeof value !== "string") return constant(value);
  if (type === undefined || kindOf(type) !== "moment") return literal(value);
  if (factsOf(type).zoned) return literal(withOffset(value));
  return hasOffset(value) ? momentConstant(value) : literal(value);
}
