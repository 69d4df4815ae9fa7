import { keyNames } from "../database/key.js";
import type { Tx } from "../definition/hook-definition.js";
import type { TableDefinition } from "../definition/table-definition.js";
import { splitId } from "../values/entity-id.js";
import { isReadOnly } from "./read-only.js";
import {
  type AnyKey,
  deleteRow,
  equalities,
  insertRow,
  type Key,
  readRow,
  updateRow,
  type Values,
} from "./rows.js";
import { tableSql } from "./table-sql.js";

/** Reads rows of one table through a connection, transaction or pool. */
export interface ReadRepository<Row extends object, K = Key> {
  /**
   * Rows in key order, read in chunks, so that memory does not grow with the table. `filter` names
   * columns and the values they must equal (null: no value). Outside a REPEATABLE READ transaction
   * each chunk sees the table as it is by then.
   */
  list(filter?: Partial<Row>): AsyncIterable<Row>;
  get(key: K): Promise<Row | undefined>;
}

/** Reads and writes rows of an owned table. What it writes commits or rolls back together with its events. */
export interface Repository<Row extends object, New extends object, Patch extends object, K = Key>
  extends ReadRepository<Row, K> {
  /** Resolves to the row with everything that the database filled in. */
  create(row: New): Promise<Row>;
  /** undefined: there is no such row. */
  update(key: K, patch: Patch): Promise<Row | undefined>;
  /** False: there was no such row. */
  delete(key: K): Promise<boolean>;
}

/** What says which row: the value of a key of one column, or the values of several by name. */
type KeyOf<K> = unknown extends K ? Key : K;

/** The repository of a cache table or a view only reads: its definition has no types for creating or changing rows. */
export type RepositoryOf<Row extends object, New extends object, Patch extends object, K = unknown> = [
  keyof New,
] extends [never]
  ? ReadRepository<Row, KeyOf<K>>
  : Repository<Row, New, Patch, KeyOf<K>>;

const CHUNK = 500;

/** For a cache table or a view the result is a `ReadRepository`, by type and at run time. */
export function tableRepository<Row extends object, New extends object, Patch extends object, K = unknown>(
  db: Tx,
  table: TableDefinition<Row, New, Patch, K>,
): RepositoryOf<Row, New, Patch, K> {
  const reading = readRepository(db, table);
  if (isReadOnly(table)) return reading as RepositoryOf<Row, New, Patch, K>;
  const repository: Repository<Row, New, Patch, KeyOf<K>> = {
    ...reading,
    create: async (row) => JSON.parse((await insertRow(db, table, { values: row as Values })).row),
    update: async (key, patch) =>
      parsed<Row>(await updateRow(db, table, { key: key as AnyKey, patch: patch as Values })),
    delete: (key) => deleteRow(db, table, { key: key as AnyKey }),
  };
  return repository as RepositoryOf<Row, New, Patch, K>;
}

/** A repository for each connection, transaction or pool. */
export function repositoryOf<Row extends object, New extends object, Patch extends object, K = unknown>(
  table: TableDefinition<Row, New, Patch, K>,
): (db: Tx) => RepositoryOf<Row, New, Patch, K> {
  return (db) => tableRepository(db, table);
}

/** Reads a table through a connection or a pool; of a cache there is no more. */
export function readRepository<Row extends object, K = unknown>(
  db: Tx,
  table: TableDefinition<Row, object, object, K>,
): ReadRepository<Row, KeyOf<K>> {
  return {
    list: (filter = {}) => listRows<Row>(db, table, filter as Values),
    get: async (key) => parsed<Row>(await readRow(db, table, { key: key as AnyKey })),
  };
}

async function* listRows<Row>(db: Tx, table: TableDefinition, filter: Values): AsyncGenerator<Row> {
  const { conditions, parameters } = equalities(table, filter);
  let after: readonly string[] = [];
  for (;;) {
    const text = tableSql(table).chunk(conditions, parameters.length, after.length > 0);
    const { rows } = await db.query<{ key: string; row: string }>(text, [...parameters, ...after, CHUNK]);
    for (const { row } of rows) yield JSON.parse(row);
    const last = rows.at(-1);
    if (last === undefined || rows.length < CHUNK) return;
    after = splitId(last.key, keyNames(table).length) ?? [];
  }
}

function parsed<Row>(text: string | undefined): Row | undefined {
  return text === undefined ? undefined : JSON.parse(text);
}
