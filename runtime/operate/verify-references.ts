import { setTimeout as sleep } from "node:timers/promises";
import { type ClientBase, escapeIdentifier } from "pg";
import { idSql, keyColumns } from "../database/key.js";
import { relationOf } from "../database/relation.js";
import { livingRows } from "../database/soft-deletion.js";
import { acquire } from "../database/transaction.js";
import type {
  CascadeDefinition,
  ConsumerDefinition,
  SyncDefinition,
} from "../definition/consumer-definition.js";
import type { TableDefinition } from "../definition/table-definition.js";
import { scopeOf } from "../inbox/scope.js";
import { splitArray } from "../resync/json-array.js";
import { unfitVersion, versionOf } from "../resync/snapshot-rows.js";
import { readSource, sourceOf } from "../resync/snapshot-source.js";
import { idOfFields, readElement } from "../resync/unfit-rows.js";
import { findsAhead } from "./ahead.js";
import { type FoundRow, NO_FINDINGS } from "./compare.js";
import type { Verification, VerifyOptions } from "./verify.js";

/*
 * Verifies a consumer without a cache by the rows that its cascades would delete or change: a row that refers to an entity which its
 * owner does not have is `extra`. Either the deletion was missed, or the row was written before its entity; only a person can
 * tell which.
 */

const ROUNDS = 3;

/** One result per column that a cascade rule names. A row counts only where every read finds it. Rejects where the source cannot be read. */
export async function verifyReferences(options: VerifyOptions): Promise<readonly Verification[]> {
  const { consumer, pool, env, settleMs = 1_000, sample = 20, signal } = options;
  const sync = sourceOf(consumer, env);
  const rules = rulesOf(consumer);
  if (sync === undefined) return [];
  const started = performance.now();
  // Whatever runs on a lost connection fails by itself.
  const client = await acquire(pool, () => undefined);
  try {
    await client.query(`CREATE TEMP TABLE "$listed" (id text COLLATE "C");
      CREATE TEMP TABLE "$dangling" (rule integer, key text COLLATE "C", id text COLLATE "C", row jsonb)`);
    const findAhead = await findsAhead(client, scopeOf(consumer));
    const ahead = new Map<string, FoundRow>();
    const onListed = async (listed: Listed) => {
      for (const { id, reason } of await findAhead(listed)) ahead.set(id, aheadRow(id, reason));
    };
    let rows = await readIds(client, sync, { ...options, onListed });
    for (const [rule, { table, column }] of rules.entries())
      await client.query(findDangling(table, column), [rule]);
    for (let round = 1; round < ROUNDS && (await anyLeft(client)); round += 1) {
      await sleep(settleMs, undefined, signal === undefined ? {} : { signal });
      rows = await readIds(client, sync, options);
      for (const [rule, { table, column }] of rules.entries())
        await client.query(keepDangling(table, column), [rule]);
    }
    const { durable, entity } = consumer;
    const results: Verification[] = [];
    for (const [rule, { table, column }] of rules.entries()) {
      const found = await readFindings(client, rule, sample);
      const ms = Math.round(performance.now() - started);
      results.push({
        durable,
        cache: table.name,
        columns: [column],
        uncompared: [],
        rows,
        ...NO_FINDINGS,
        ...found,
        ms,
      });
    }
    if (ahead.size > 0) {
      const ms = Math.round(performance.now() - started);
      const found = { ahead: ahead.size, sample: [...ahead.values()].slice(0, sample) };
      results.push({
        durable,
        cache: `versions of ${entity}`,
        columns: [],
        uncompared: [],
        rows,
        ...NO_FINDINGS,
        ...found,
        ms,
      });
    }
    return results;
  } finally {
    // Closed, not handed back: its temporary tables go with it, and a broken one is of no use.
    client.release(true);
  }
}

function rulesOf({ events }: ConsumerDefinition): readonly CascadeDefinition[] {
  const rules = events.flatMap(({ cascades }) => cascades ?? []);
  return [...new Map(rules.map((rule) => [`${rule.table.name} ${rule.column}`, rule])).values()];
}

type Listed = readonly { readonly id: string; readonly version: number | null }[];

function aheadRow(key: string, reason: string): FoundRow {
  return { key, finding: "ahead", reason, source: null, cache: null, sourceText: null, cacheText: null };
}

async function readIds(
  client: ClientBase,
  sync: SyncDefinition,
  options: VerifyOptions & { readonly onListed?: (listed: Listed) => Promise<void> },
): Promise<number> {
  const { env, signal = new AbortController().signal, onProgress, onListed } = options;
  await client.query('TRUNCATE "$listed"');
  let rows = 0;
  for await (const elements of splitArray(readSource({ sync, env, signal }))) {
    const listed = elements.flatMap((element) => {
      const { fields = {} } = readElement(element);
      const id = idOfFields(sync.key ?? "", fields);
      return id === null
        ? []
        : [{ id, version: unfitVersion(fields) === undefined ? versionOf(fields) : null }];
    });
    await client.query('INSERT INTO "$listed" SELECT pg_catalog.unnest($1::text[])', [
      listed.map(({ id }) => id),
    ]);
    await onListed?.(listed);
    rows += elements.length;
    onProgress?.(rows);
  }
  await client.query('ANALYZE "$listed"');
  return rows;
}

function dangling(table: TableDefinition, column: string): string {
  const id = `"$row".${escapeIdentifier(column)}`;
  const isListed = `EXISTS (SELECT FROM "$listed" WHERE "$listed".id = ${id}::text)`;
  return [`${id} IS NOT NULL`, `NOT ${isListed}`, ...livingRows(table, '"$row"')].join(" AND ");
}

function findDangling(table: TableDefinition, column: string): string {
  return `INSERT INTO "$dangling"
    SELECT $1::integer, ${idSql(keyColumns(table), '"$row"')}, "$row".${escapeIdentifier(column)}::text, pg_catalog.to_jsonb("$row")
    FROM ${relationOf(table)} AS "$row" WHERE ${dangling(table, column)}`;
}

function keepDangling(table: TableDefinition, column: string): string {
  return `DELETE FROM "$dangling" AS "$found" WHERE "$found".rule = $1 AND NOT EXISTS (
    SELECT FROM ${relationOf(table)} AS "$row" WHERE ${idSql(keyColumns(table), '"$row"')} = "$found".key AND ${dangling(table, column)})`;
}

async function anyLeft(client: ClientBase): Promise<boolean> {
  return (await client.query('SELECT FROM "$dangling" LIMIT 1')).rowCount === 1;
}

async function readFindings(client: ClientBase, rule: number, sample: number) {
  const counted = await client.query<{ extra: number }>(
    'SELECT count(*)::integer AS extra FROM "$dangling" WHERE rule = $1',
    [rule],
  );
  const shown = await client.query<FoundRow>(
    `SELECT key, 'extra' AS finding, NULL AS reason, NULL AS source, row AS cache,
  NULL AS "sourceText", row::text AS "cacheText" FROM "$dangling"
WHERE rule = $1 ORDER BY key LIMIT $2`,
    [rule, sample],
  );
  return { extra: counted.rows[0]?.extra ?? 0, sample: shown.rows };
}
