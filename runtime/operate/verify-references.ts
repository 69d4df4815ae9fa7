import { setTimeout as sleep } from "node:timers/promises";
import { type ClientBase, escapeIdentifier, type Pool } from "pg";
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
import { countFindings, type FoundRow, NO_FINDINGS, type RowFinding, type Verification } from "./findings.js";
import type { VerifyOptions } from "./verify.js";

/*
 * Verifies a consumer by the rows that its cascades would delete or change, and that refer to an entity which its owner does not have. One of an entity that was known here is `extra`: its deletion was missed, and a snapshot runs its cascade. Any other is
 * `dangling`: it may have been written ahead of its entity, so no snapshot touches it.
 */

const ROUNDS = 3;

/**
 * One result per column that a cascade rule names. A row counts only where every read finds it. Of a consumer that keeps a cache only those with
 * findings, and the source is read only where rows refer to what the cache lacks. Rejects where the source cannot be read.
 */
export async function verifyReferences(options: VerifyOptions): Promise<readonly Verification[]> {
  const { consumer, pool, env, settleMs = 1_000, sample = 20, signal } = options;
  const sync = sourceOf(consumer, env);
  const { cache } = consumer;
  const rules = cache === undefined ? rulesOf(consumer) : await doubtfulRules(pool, rulesOf(consumer), cache);
  if (sync === undefined || (cache !== undefined && rules.length === 0)) return [];
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
      const found = await readFindings(client, consumer, { rule, table, sample });
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
    if (cache !== undefined) return results.filter((one) => countFindings(one) > 0);
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

/** Those with rows that refer to what the cache does not have. */
async function doubtfulRules(
  pool: Pool,
  rules: readonly CascadeDefinition[],
  cache: TableDefinition,
): Promise<readonly CascadeDefinition[]> {
  const doubtful: CascadeDefinition[] = [];
  for (const rule of rules) {
    const id = `"$row".${escapeIdentifier(rule.column)}`;
    const { rowCount } = await pool.query(
      `SELECT FROM ${relationOf(rule.table)} AS "$row" WHERE ${[`${id} IS NOT NULL`, ...livingRows(rule.table, '"$row"')].join(" AND ")}
       AND NOT EXISTS (SELECT FROM ${relationOf(cache)} AS "$known" WHERE ${idSql(keyColumns(cache), '"$known"')} = ${id}::text) LIMIT 1`,
    );
    if (rowCount !== 0) doubtful.push(rule);
  }
  return doubtful;
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

/** What is known here of the entity that a row refers to. */
type Referent = "unknown" | "known" | "deleted" | "waiting";

const FINDING_OF: Readonly<Record<Referent, RowFinding>> = {
  known: "extra",
  unknown: "dangling",
  deleted: "dangling",
  waiting: "dangling",
};

/** With the hook that the row waits for, where its deletion does. */
const REFERENTS = `SELECT "$found".*, "$task".hook,
    CASE WHEN "$task".hook IS NOT NULL THEN 'waiting' WHEN state.deleted THEN 'deleted'
      WHEN state.version IS NOT NULL OR state.stream_seq IS NOT NULL THEN 'known' ELSE 'unknown' END AS referent
  FROM "$dangling" AS "$found"
  LEFT JOIN mesh.applied AS state ON state.entity = $2 AND state.entity_id = "$found".id
  LEFT JOIN LATERAL (SELECT pg_catalog.min(hook) AS hook FROM mesh.cascade_task WHERE table_name = $3 AND row_key = "$found".key) AS "$task" ON true
  WHERE "$found".rule = $1`;

interface ReferringRow {
  readonly key: string;
  readonly id: string;
  readonly row: object;
  readonly text: string;
  readonly referent: Referent;
  readonly hook: string | null;
}

interface Referring {
  readonly rule: number;
  readonly table: TableDefinition;
  readonly sample: number;
}

async function readFindings(
  client: ClientBase,
  consumer: ConsumerDefinition,
  { rule, table, sample }: Referring,
): Promise<Readonly<Pick<Verification, "extra" | "dangling" | "sample">>> {
  const asked = [rule, scopeOf(consumer), table.name];
  const counted = await client.query<{ referent: Referent; rows: number }>(
    `SELECT referent, count(*)::integer AS rows FROM (${REFERENTS}) AS referring GROUP BY referent`,
    asked,
  );
  const shown = await client.query<ReferringRow>(
    `SELECT key, id, row, row::text AS text, referent, hook FROM (${REFERENTS}) AS referring ORDER BY key LIMIT $4`,
    [...asked, sample],
  );
  const count = (finding: RowFinding) =>
    counted.rows.reduce((sum, { referent, rows }) => sum + (FINDING_OF[referent] === finding ? rows : 0), 0);
  return {
    extra: count("extra"),
    dangling: count("dangling"),
    sample: shown.rows.map((found) => ({
      key: found.key,
      finding: FINDING_OF[found.referent],
      reason: reasonFor(found, consumer.entity),
      source: null,
      cache: found.row,
      sourceText: null,
      cacheText: found.text,
    })),
  };
}

function reasonFor({ referent, id, hook }: ReferringRow, entity: string): string | null {
  switch (referent) {
    case "known":
      return null;
    case "unknown":
      return `refers to ${entity} ${id}, which its owner does not have and which was never known here`;
    case "deleted":
      return `refers to ${entity} ${id}, whose deletion was applied here before: no trigger has seen the row come`;
    case "waiting":
      return `refers to ${entity} ${id}, which is deleted: the row goes once the hook ${hook} has succeeded`;
    default:
      return referent satisfies never;
  }
}
