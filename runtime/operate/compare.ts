import { type ClientBase, escapeIdentifier } from "pg";
import { isRowRefused } from "../database/database-errors.js";
import type { ColumnDefinition, ColumnType, ConsumerDefinition, TableDefinition } from "../definition.js";
import { buildModel } from "../inbox/consumer-model.js";
import { type SnapshotRow, toRows } from "../resync/snapshot-rows.js";
import { nameOf, storable, type UnfitRow } from "../resync/unfit-rows.js";
import { messageOf } from "../text/error-message.js";
import { columnTypes, exactExpression, kindOf } from "../values/column-types.js";
import { fieldOf } from "../values/field.js";
import { printJson, writtenText } from "../values/json-text.js";
import { utcText } from "../values/moment.js";
import { wireRow } from "../values/values.js";
import { type AheadRow, findsAhead } from "./ahead.js";

/*
 * A cache beside rows of its source, compared by PostgreSQL in the cache's own types, so that whole numbers 1 and
 * 1.0, or two spellings of one moment, are equal; exactly, so that 1.1 and 1.10 within a document are not. Keys and findings lie in temporary tables: memory
 * grows with neither side.
 */

/**
 * `unfit`: what the source says cannot be a row of the cache. `ahead`: a later version is known here than the source
 * has, so what it says goes unheard.
 */
export type Finding = "missing" | "extra" | "differing" | "unfit" | "ahead";

/** Everything that differs, in number. */
export function countFindings(found: Readonly<Record<Finding, number>>): number {
  return found.missing + found.extra + found.differing + found.unfit + found.ahead;
}

export interface FoundRow {
  /** Of an unfit one without any, its place among the elements of the source. */
  readonly key: string;
  readonly finding: Finding;
  /** Why it is unfit, or ahead; else null. */
  readonly reason: string | null;
  /** The declared columns as each side has them; null where it has no such row. */
  readonly source: object | null;
  readonly cache: object | null;
  /** The same as JSON, where numbers have all their digits. */
  readonly sourceText: string | null;
  readonly cacheText: string | null;
}

export interface Comparison {
  /** Columns that are compared: those that events carry. */
  readonly columns: readonly string[];
  /** Columns of which the texts of the source's rows are to be kept, see `writtenText`. */
  readonly json: ReadonlySet<string>;
  /** Takes elements of the source, many at once; `before` counts those that came earlier. */
  add(elements: readonly unknown[], before?: number): Promise<void>;
  /** Forgets what was read since the last `confirm`. */
  restart(): Promise<void>;
  /** The source has no more rows; `keys` when only those were read. Resolves to how many it had. */
  finish(keys?: readonly string[]): Promise<number>;
  /** Keeps, of the findings so far, only what the comparison just finished found again. */
  confirm(): Promise<void>;
  count(): Promise<Readonly<Record<Finding, number>>>;
  first(limit: number): Promise<readonly FoundRow[]>;
}

/** A document comes as its text: a record would take its null for NULL. */
function recordType(type: ColumnType): string {
  return kindOf(type) === "document" ? "text" : columnTypes[type].sql;
}

/** On one connection, which holds the temporary tables until it is closed. */
export async function createComparison(
  client: ClientBase,
  cache: TableDefinition,
  consumer: ConsumerDefinition,
): Promise<Comparison> {
  await client.query(`
    CREATE TEMP TABLE "$seen" (key text COLLATE "C");
    CREATE TEMP TABLE "$found" (key text COLLATE "C", finding text, source json, cache json, reason text);
    CREATE TEMP TABLE "$suspect" (LIKE "$found");`);
  const findAhead = await findsAhead(client, consumer.entity);
  const carried = new Set(consumer.events.flatMap(({ columns }) => columns ?? []));
  const columns = cache.columns.filter(({ name }) => name !== cache.key && carried.has(name));
  const compared = cache.columns.filter((column) => column.name === cache.key || columns.includes(column));
  const sql = comparisonSql(cache, columns);
  const model = buildModel({ ...consumer, cache }).cache;
  if (model === undefined) throw new Error(`${consumer.durable} keeps no cache`);
  let confirming = false;
  const addUnfit = async (rows: readonly UnfitRow[]) => {
    if (rows.length === 0) return;
    const named = [rows.map(nameOf), rows.map(({ id }) => id), rows.map(({ reason }) => storable(reason))];
    await client.query(sql.unfit, named);
  };
  const addAhead = async (found: readonly AheadRow[]) => {
    if (found.length > 0)
      await client.query(ADD_AHEAD, [found.map(({ id }) => id), found.map(({ reason }) => reason)]);
  };
  /** In halves where PostgreSQL refuses one of them, until it is found. */
  const addFit = async (rows: readonly SnapshotRow[]): Promise<void> => {
    const json = `[${rows.map(({ element }) => printRow(compared, element)).join(",")}]`;
    try {
      await client.query(sql.compare, [json]);
      await client.query(sql.remember, [json]);
    } catch (error) {
      const [only] = rows;
      if (!isRowRefused(error) || only === undefined) throw error;
      if (rows.length === 1) return await addUnfit([{ ...only, reason: messageOf(error), element: null }]);
      const middle = rows.length >> 1;
      await addFit(rows.slice(0, middle));
      await addFit(rows.slice(middle));
    }
  };
  const restart = async () => {
    await client.query('TRUNCATE "$found", "$seen"');
  };
  return {
    columns: [cache.key, ...columns.map(({ name }) => name)],
    json: model.json,
    add: async (elements, before = 0) => {
      const { fit, unfit } = toRows(model, elements, { before, seq: 0 });
      await addUnfit(unfit);
      if (fit.length > 0) await addFit(fit);
      await addAhead(await findAhead(fit));
    },
    restart,
    finish: async (keys) => {
      await client.query('ANALYZE "$seen"');
      await client.query(sql.extra, [keys ?? null]);
      const seen = await client.query<{ rows: number }>('SELECT count(*)::integer AS rows FROM "$seen"');
      return seen.rows[0]?.rows ?? 0;
    },
    confirm: async () => {
      await client.query(
        confirming
          ? `DELETE FROM "$suspect" s WHERE s.finding <> 'ahead' AND NOT EXISTS (SELECT FROM "$found" f WHERE f.key = s.key)`
          : 'INSERT INTO "$suspect" SELECT * FROM "$found"',
      );
      confirming = true;
      await restart();
    },
    count: async () => {
      const { rows } = await client.query<{ finding: Finding; rows: number }>(
        'SELECT finding, count(*)::integer AS rows FROM "$suspect" GROUP BY finding',
      );
      const counts = new Map(rows.map((row) => [row.finding, row.rows]));
      const of = (finding: Finding) => counts.get(finding) ?? 0;
      return {
        missing: of("missing"),
        extra: of("extra"),
        differing: of("differing"),
        unfit: of("unfit"),
        ahead: of("ahead"),
      };
    },
    first: async (limit) => {
      const { rows } = await client.query<FoundRow>(
        `SELECT key, finding, reason, source, cache, source::text AS "sourceText", cache::text AS "cacheText"
FROM "$suspect" ORDER BY key LIMIT $1`,
        [limit],
      );
      return rows;
    },
  };
}

const ADD_AHEAD = `INSERT INTO "$found" SELECT id, 'ahead', NULL, NULL, reason
FROM unnest($1::text[], $2::text[]) AS found (id, reason)`;

function comparisonSql(cache: TableDefinition, columns: readonly ColumnDefinition[]) {
  const key = escapeIdentifier(cache.key);
  const table = escapeIdentifier(cache.name);
  const [source, copy] = [`"$source".${key}`, `"$copy".${key}`];
  const keyColumn = cache.columns.filter(({ name }) => name === cache.key);
  const compared = [...keyColumn, ...columns];
  const record = compared.map(({ name, type }) => `${escapeIdentifier(name)} ${recordType(type)}`);
  const values = compared.map(({ name, type }) =>
    kindOf(type) === "document" ? `${escapeIdentifier(name)}::jsonb` : escapeIdentifier(name),
  );
  const given = `(SELECT ${values.join(", ")} FROM json_to_recordset($1::json) AS "$given" (${record.join(", ")})) AS "$source"`;
  const differs = columns.map((column) => differsSql(column));
  const shown = (row: string) => `${wireRow({ ...cache, columns: compared }, row)}::json`;
  const [told, cached] = [shown('"$source"'), shown('"$copy"')];
  return {
    compare: `
      INSERT INTO "$found"
      SELECT ${source}::text, CASE WHEN ${copy} IS NULL THEN 'missing' ELSE 'differing' END, ${told},
             CASE WHEN ${copy} IS NOT NULL THEN ${cached} END
      FROM ${given} LEFT JOIN ${table} AS "$copy" ON ${copy} = ${source}
      WHERE ${[`${copy} IS NULL`, ...differs].join(" OR ")}`,
    unfit: `
      WITH "$unfit" AS (SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS "$unfit" (name, id, reason)),
      "$heard" AS (INSERT INTO "$seen" SELECT id FROM "$unfit" WHERE id IS NOT NULL)
      INSERT INTO "$found"
      SELECT "$unfit".name, 'unfit', NULL, CASE WHEN ${copy} IS NOT NULL THEN ${cached} END, "$unfit".reason
      FROM "$unfit" LEFT JOIN ${table} AS "$copy" ON ${copy}::text = "$unfit".id`,
    remember: `INSERT INTO "$seen" SELECT ${source}::text FROM ${given}`,
    extra: `
      INSERT INTO "$found"
      SELECT ${copy}::text, 'extra', NULL, ${cached}
      FROM ${table} AS "$copy"
      WHERE ($1::text[] IS NULL OR ${copy}::text = ANY ($1))
        AND NOT EXISTS (SELECT FROM "$seen" AS "$v" WHERE "$v".key = ${copy}::text)`,
  };
}

/** What a source leaves out of a column that holds no NULL is the default, as each snapshot takes it. */
function differsSql({ name, type, nullable }: ColumnDefinition): string {
  const column = escapeIdentifier(name);
  const told = nullable === true ? "" : `"$source".${column} IS NOT NULL AND `;
  const exact = (row: string) => exactExpression({ type }, `${row}.${column}`);
  return `${told}${exact('"$source"')} IS DISTINCT FROM ${exact('"$copy"')}`;
}

function printRow(columns: readonly ColumnDefinition[], row: SnapshotRow["element"]): string {
  const members = columns.flatMap((column) => {
    const value = fieldOf(row, column.name);
    if (value === undefined) return [];
    const written =
      kindOf(column.type) === "document" ? documentText(column, row) : printJson(inUtc(column, value));
    return [`${JSON.stringify(column.name)}:${written}`];
  });
  return `{${members.join(",")}}`;
}

/** As the JSON of a text. */
function documentText({ name, nullable }: ColumnDefinition, row: SnapshotRow["element"]): string {
  const value = row[name];
  if (value === null && nullable === true) return "null";
  return JSON.stringify(writtenText(row, name) ?? printJson(value));
}

/** A moment without an offset is in UTC, whatever the session's time zone. */
function inUtc({ type }: ColumnDefinition, value: unknown): unknown {
  return kindOf(type) === "moment" && typeof value === "string" ? (utcText(value) ?? value) : value;
}
