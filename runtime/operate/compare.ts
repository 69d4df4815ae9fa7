import { type ClientBase, escapeIdentifier } from "pg";
import type { ColumnDefinition, ColumnType, ConsumerDefinition, TableDefinition } from "../definition.js";

/*
 * A cache beside rows of its source, compared by PostgreSQL in the cache's own types, so that 1 and
 * 1.0, or two spellings of one moment, are equal. Keys and findings lie in temporary tables: memory
 * grows with neither side.
 */

export type Finding = "missing" | "extra" | "differing";

export interface FoundRow {
  readonly key: string;
  readonly finding: Finding;
  /** The declared columns as each side has them; null where it has no such row. */
  readonly source: object | null;
  readonly cache: object | null;
}

export interface Comparison {
  /** Columns that are compared: those that events carry. */
  readonly columns: readonly string[];
  /** Takes rows of the source, many at once. */
  add(rows: readonly object[]): Promise<void>;
  /** The source has no more rows; `keys` when only those were read. Resolves to how many it had. */
  finish(keys?: readonly string[]): Promise<number>;
  /** Keeps, of the findings so far, only what the comparison just finished found again. */
  confirm(): Promise<void>;
  count(): Promise<Readonly<Record<Finding, number>>>;
  first(limit: number): Promise<readonly FoundRow[]>;
}

const SQL_TYPES: Readonly<Record<ColumnType, string>> = {
  nanoid: "text",
  text: "text",
  uuid: "uuid",
  integer: "integer",
  bigint: "bigint",
  number: "double precision",
  boolean: "boolean",
  timestamp: "timestamptz",
  json: "jsonb",
};

/** On one connection, which holds the temporary tables until it is closed. */
export async function createComparison(
  client: ClientBase,
  cache: TableDefinition,
  consumer: ConsumerDefinition,
): Promise<Comparison> {
  await client.query(`
    SET TimeZone = 'UTC';
    CREATE TEMP TABLE "$seen" (key text COLLATE "C");
    CREATE TEMP TABLE "$found" (key text COLLATE "C", finding text, source jsonb, cache jsonb);
    CREATE TEMP TABLE "$suspect" (LIKE "$found");`);
  const carried = new Set(consumer.events.flatMap(({ columns }) => columns ?? []));
  const columns = cache.columns.filter(({ name }) => name !== cache.key && carried.has(name));
  const sql = comparisonSql(cache, columns);
  let confirming = false;
  return {
    columns: [cache.key, ...columns.map(({ name }) => name)],
    add: async (rows) => {
      const json = JSON.stringify(rows);
      await client.query(sql.compare, [json]);
      await client.query(sql.remember, [json]);
    },
    finish: async (keys) => {
      await client.query('ANALYZE "$seen"');
      await client.query(sql.extra, [keys ?? null]);
      const seen = await client.query<{ rows: number }>('SELECT count(*)::integer AS rows FROM "$seen"');
      return seen.rows[0]?.rows ?? 0;
    },
    confirm: async () => {
      await client.query(
        confirming
          ? 'DELETE FROM "$suspect" s WHERE NOT EXISTS (SELECT FROM "$found" f WHERE f.key = s.key)'
          : 'INSERT INTO "$suspect" SELECT * FROM "$found"',
      );
      confirming = true;
      await client.query('TRUNCATE "$found", "$seen"');
    },
    count: async () => {
      const { rows } = await client.query<{ finding: Finding; rows: number }>(
        'SELECT finding, count(*)::integer AS rows FROM "$suspect" GROUP BY finding',
      );
      const counts = new Map(rows.map((row) => [row.finding, row.rows]));
      const of = (finding: Finding) => counts.get(finding) ?? 0;
      return { missing: of("missing"), extra: of("extra"), differing: of("differing") };
    },
    first: async (limit) => {
      const { rows } = await client.query<FoundRow>(
        'SELECT key, finding, source, cache FROM "$suspect" ORDER BY key LIMIT $1',
        [limit],
      );
      return rows;
    },
  };
}

function comparisonSql(cache: TableDefinition, columns: readonly ColumnDefinition[]) {
  const key = escapeIdentifier(cache.key);
  const table = escapeIdentifier(cache.name);
  const [source, copy] = [`"$source".${key}`, `"$copy".${key}`];
  const keyColumn = cache.columns.filter(({ name }) => name === cache.key);
  const record = [...keyColumn, ...columns]
    .map(({ name, type }) => `${escapeIdentifier(name)} ${SQL_TYPES[type]}`)
    .join(", ");
  const given = `jsonb_to_recordset($1::jsonb) AS "$source" (${record})`;
  const differs = columns.map((column) => differsSql(column));
  const fields = [...keyColumn, ...columns].map(({ name }) => `"$copy".${escapeIdentifier(name)}`).join(", ");
  const cached = `(SELECT to_jsonb("$row") FROM (SELECT ${fields}) AS "$row")`;
  return {
    compare: `
      INSERT INTO "$found"
      SELECT ${source}::text, CASE WHEN ${copy} IS NULL THEN 'missing' ELSE 'differing' END, to_jsonb("$source"),
             CASE WHEN ${copy} IS NOT NULL THEN ${cached} END
      FROM ${given} LEFT JOIN ${table} AS "$copy" ON ${copy} = ${source}
      WHERE ${[`${copy} IS NULL`, ...differs].join(" OR ")}`,
    remember: `INSERT INTO "$seen" SELECT ${source}::text FROM ${given}`,
    extra: `
      INSERT INTO "$found"
      SELECT ${copy}::text, 'extra', NULL, ${cached}
      FROM ${table} AS "$copy"
      WHERE ($1::text[] IS NULL OR ${copy}::text = ANY ($1))
        AND NOT EXISTS (SELECT FROM "$seen" AS "$v" WHERE "$v".key = ${copy}::text)`,
  };
}

function differsSql({ name, type }: ColumnDefinition): string {
  const column = escapeIdentifier(name);
  return `"$source".${column} IS DISTINCT FROM "$copy".${column}${type === "json" ? "::jsonb" : ""}`;
}
