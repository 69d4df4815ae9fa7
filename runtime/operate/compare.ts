import type { ClientBase } from "pg";
import { isRowRefused } from "../database/database-errors.js";
import { keyNames } from "../database/key.js";
import type { ConsumerDefinition } from "../definition/consumer-definition.js";
import type { TableDefinition } from "../definition/table-definition.js";
import { buildModel, carriedColumns } from "../inbox/consumer-model.js";
import { scopeOf } from "../inbox/scope.js";
import { type SnapshotRow, toRows } from "../resync/snapshot-rows.js";
import { nameOf, storable, type UnfitRow } from "../resync/unfit-rows.js";
import { messageOf } from "../text/error-message.js";
import { type AheadRow, findsAhead } from "./ahead.js";
import { comparisonSql, printRow } from "./comparison-sql.js";
import { type FoundRow, NO_FINDINGS, type RowFinding } from "./findings.js";

/*
 * Compares a cache with rows of its source. PostgreSQL compares in the cache's own types, so that whole numbers 1 and 1.0, or two
 * spellings of one moment, are equal; and exactly, so that 1.1 and 1.10 within a document are not. Keys and findings are
 * kept in temporary tables: memory grows with neither side.
 */

export interface Comparison {
  /** The compared columns: those that events carry. */
  readonly columns: readonly string[];
  /** Columns of the cache that are not: what only hooks fill, or no event carries. */
  readonly uncompared: readonly string[];
  /** Columns of which the texts of the source's rows are to be kept, see `writtenText`. */
  readonly json: ReadonlySet<string>;
  /** Compares elements of the source; `before` is the number of those that came earlier. */
  add(elements: readonly unknown[], before?: number): Promise<void>;
  /** Drops what was compared since the last `confirm`. */
  restart(): Promise<void>;
  /** Finds extra rows, once the source has no more; with `keys` among these alone. Resolves to the number of the source's rows. */
  finish(keys?: readonly string[]): Promise<number>;
  /** Keeps, of all earlier findings, those that the comparison just finished has found again. */
  confirm(): Promise<void>;
  count(): Promise<Readonly<Record<RowFinding, number>>>;
  first(limit: number): Promise<readonly FoundRow[]>;
}

/** The connection holds the temporary tables until it is closed. */
export async function createComparison(
  client: ClientBase,
  cache: TableDefinition,
  consumer: ConsumerDefinition,
): Promise<Comparison> {
  await client.query(`
    CREATE TEMP TABLE "$seen" (key text COLLATE "C");
    CREATE TEMP TABLE "$found" (key text COLLATE "C", finding text, source json, cache json, reason text);
    CREATE TEMP TABLE "$suspect" (LIKE "$found");`);
  const findAhead = await findsAhead(client, scopeOf(consumer));
  const carried = new Set(consumer.events.flatMap(({ event }) => carriedColumns(event, cache)));
  const key = keyNames(cache);
  const columns = cache.columns.filter(({ name }) => !key.includes(name) && carried.has(name));
  const compared = cache.columns.filter((column) => key.includes(column.name) || columns.includes(column));
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
  /** Where PostgreSQL refuses one of the rows, in halves, until that row is found. */
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
    columns: [...key, ...columns.map(({ name }) => name)],
    uncompared: cache.columns.filter((column) => !compared.includes(column)).map(({ name }) => name),
    json: model.json,
    add: async (elements, before = 0) => {
      const { fit, unfit } = toRows(model, elements, { before, seq: 0 });
      await addUnfit(unfit);
      // A row of the cache that is not seen is extra: so is one that a partial cache should not have.
      const inside = fit.filter(({ outside }) => !outside);
      if (inside.length > 0) await addFit(inside);
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
      const { rows } = await client.query<{ finding: RowFinding; rows: number }>(
        'SELECT finding, count(*)::integer AS rows FROM "$suspect" GROUP BY finding',
      );
      return { ...NO_FINDINGS, ...Object.fromEntries(rows.map((row) => [row.finding, row.rows])) };
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
