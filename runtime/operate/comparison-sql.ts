import { escapeIdentifier } from "pg";
import { idSql, keyColumns, presence, sameKey } from "../database/key.js";
import { relationOf } from "../database/relation.js";
import type { ColumnDefinition, TableDefinition } from "../definition/table-definition.js";
import { exactExpression } from "../values/column-sql.js";
import { type ColumnType, factsOf, kindOf } from "../values/column-types.js";
import { fieldOf, memberFilling } from "../values/field.js";
import { printJson, writtenText } from "../values/json-text.js";
import { utcText } from "../values/moment.js";
import { wireRow } from "../values/values.js";

type Element = Readonly<Record<string, unknown>>;

/** A document is read as its text: a record would turn the JSON value null into NULL. */
function recordType(type: ColumnType): string {
  const { kind, cast } = factsOf(type);
  return kind === "document" || kind === "bytes" ? "text" : cast;
}

function fromRecord(type: ColumnType, value: string): string {
  const kind = kindOf(type);
  if (kind === "bytes") return `pg_catalog.decode(${value}, 'base64')`;
  return kind === "document" ? `${value}::jsonb` : value;
}

/** The statements of one comparison. */
export function comparisonSql(cache: TableDefinition, columns: readonly ColumnDefinition[]) {
  const key = keyColumns(cache);
  const table = relationOf(cache);
  const [source, copy] = [idSql(key, '"$source"'), idSql(key, '"$copy"')];
  const found = presence(key, '"$copy"');
  const compared = [...key, ...columns];
  const record = compared.map(({ name, type }) => `${escapeIdentifier(name)} ${recordType(type)}`);
  const values = compared.map(({ name, type }) => {
    const column = escapeIdentifier(name);
    const value = fromRecord(type, column);
    return value === column ? column : `${value} AS ${column}`;
  });
  const given = `(SELECT ${values.join(", ")} FROM pg_catalog.json_to_recordset($1::json) AS "$given" (${record.join(", ")})) AS "$source"`;
  const differs = columns.map((column) => differsSql(column));
  const shown = (row: string) => `${wireRow({ ...cache, columns: compared }, row)}::json`;
  const [listed, cached] = [shown('"$source"'), shown('"$copy"')];
  return {
    compare: `
      INSERT INTO "$found"
      SELECT ${source}, CASE WHEN ${found} IS NULL THEN 'missing' ELSE 'differing' END, ${listed},
             CASE WHEN ${found} IS NOT NULL THEN ${cached} END
      FROM ${given} LEFT JOIN ${table} AS "$copy" ON ${sameKey(key, '"$copy"', '"$source"')}
      WHERE ${[`${found} IS NULL`, ...differs].join(" OR ")}`,
    unfit: `
      WITH "$unfit" AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS "$unfit" (name, id, reason)),
      "$heard" AS (INSERT INTO "$seen" SELECT id FROM "$unfit" WHERE id IS NOT NULL)
      INSERT INTO "$found"
      SELECT "$unfit".name, 'unfit', NULL, CASE WHEN ${found} IS NOT NULL THEN ${cached} END, "$unfit".reason
      FROM "$unfit" LEFT JOIN ${table} AS "$copy" ON ${copy} = "$unfit".id`,
    remember: `INSERT INTO "$seen" SELECT ${source} FROM ${given}`,
    extra: `
      INSERT INTO "$found"
      SELECT ${copy}, 'extra', NULL, ${cached}
      FROM ${table} AS "$copy"
      WHERE ($1::text[] IS NULL OR ${copy} = ANY ($1))
        AND NOT EXISTS (SELECT FROM "$seen" AS "$v" WHERE "$v".key = ${copy})`,
  };
}

/** A field that the source leaves out of a NOT NULL column means the default, as in a snapshot: it never differs. */
function differsSql(definition: ColumnDefinition): string {
  const column = escapeIdentifier(definition.name);
  const given = definition.nullable === true ? "" : `"$source".${column} IS NOT NULL AND `;
  const exact = (row: string) => exactExpression(definition, `${row}.${column}`);
  return `${given}${exact('"$source"')} IS DISTINCT FROM ${exact('"$copy"')}`;
}

/** A row of the source as JSON, which `json_to_recordset` takes apart. */
export function printRow(columns: readonly ColumnDefinition[], row: Element): string {
  const members = columns.flatMap((column) => {
    const value = fieldOf(row, memberFilling(column));
    if (value === undefined) return [];
    const written = kindOf(column.type) === "document" ? documentText(column, row) : valueText(column, value);
    return [`${JSON.stringify(column.name)}:${written}`];
  });
  return `{${members.join(",")}}`;
}

/** JSON.stringify would print -0 within a list as 0. */
function valueText(column: ColumnDefinition, value: unknown): string | undefined {
  if (kindOf(column.type) === "list" && Array.isArray(value)) return `[${value.map(printJson).join(",")}]`;
  return printJson(inUtc(column, value));
}

/** The text of a document, as a JSON string. */
function documentText(column: ColumnDefinition, row: Element): string {
  const name = memberFilling(column);
  const value = row[name];
  if (value === null && column.nullable === true) return "null";
  return JSON.stringify(writtenText(row, name) ?? printJson(value));
}

/** A moment without an offset is in UTC, not in the session's time zone. */
function inUtc({ type }: ColumnDefinition, value: unknown): unknown {
  return kindOf(type) === "moment" && typeof value === "string" ? (utcText(value) ?? value) : value;
}
