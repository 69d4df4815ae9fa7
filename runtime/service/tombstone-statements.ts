import type { PoolClient } from "pg";
import { idSql, keyArrays, keyColumns, keyIn } from "../database/key.js";
import { relationOf } from "../database/relation.js";
import type { TableDefinition } from "../definition/table-definition.js";
import { arrayLiteral } from "../values/array-literal.js";

/*
 * The statements of tombstone expiry. All of them skip locked rows: none waits.
 */

export const APPLIED_PAGE =
  "SELECT entity_id AS id FROM mesh.applied WHERE entity = $1 AND entity_id > $2 ORDER BY entity_id LIMIT $3";
export const COUNTER_PAGE =
  "SELECT entity_id AS id FROM mesh.entity_version WHERE entity = $1 AND entity_id > $2 ORDER BY entity_id LIMIT $3";

const START_TOMBSTONES = `WITH met AS (
  SELECT entity_id FROM mesh.applied
  WHERE entity = $1 AND entity_id = ANY ($2::text[]) AND deleted AND deleted_seq IS DISTINCT FROM stream_seq
  FOR UPDATE SKIP LOCKED)
UPDATE mesh.applied AS state SET deleted_at = now(), deleted_seq = state.stream_seq
FROM met WHERE state.entity = $1 AND state.entity_id = met.entity_id`;

const EXPIRE_TOMBSTONES = `WITH gone AS (
  SELECT entity_id FROM mesh.applied AS state
  WHERE entity = $1 AND entity_id = ANY ($2::text[]) AND deleted AND deleted_seq = stream_seq
    AND deleted_at < now() - pg_catalog.make_interval(secs => $3)
    AND NOT EXISTS (SELECT FROM mesh.dead_letter AS letter
      WHERE letter.entity = $1 AND letter.entity_id = state.entity_id AND letter.settled_as IS NULL)
    AND NOT EXISTS (SELECT FROM mesh.attempt WHERE attempt.entity = $1 AND attempt.entity_id = state.entity_id)
    AND NOT EXISTS (SELECT FROM mesh.cascade_task AS task WHERE task.entity = $1 AND task.entity_id = state.entity_id)
  FOR UPDATE OF state SKIP LOCKED)
DELETE FROM mesh.applied AS state USING gone WHERE state.entity = $1 AND state.entity_id = gone.entity_id`;

/** Deletes the expired tombstones among these entities, and starts the time of those that are new. Returns how many were deleted. */
export async function expireTombstones(
  client: PoolClient,
  page: { readonly entity: string; readonly ids: readonly string[]; readonly seconds: number },
): Promise<number> {
  const ids = arrayLiteral(page.ids);
  const { rowCount } = await client.query(EXPIRE_TOMBSTONES, [page.entity, ids, page.seconds]);
  await client.query(START_TOMBSTONES, [page.entity, ids]);
  return rowCount ?? 0;
}

const START_COUNTERS = `WITH met AS (
  SELECT entity_id FROM mesh.entity_version
  WHERE entity = $1 AND entity_id = ANY ($2::text[]) AND gone_version IS DISTINCT FROM version
  FOR UPDATE SKIP LOCKED)
UPDATE mesh.entity_version AS counter SET gone_at = now(), gone_version = counter.version
FROM met WHERE counter.entity = $1 AND counter.entity_id = met.entity_id`;

/** No counter is deleted while an old event waits in the outbox: its successors must get higher versions. */
const EXPIRE_COUNTERS = `WITH gone AS (
  SELECT entity_id FROM mesh.entity_version
  WHERE entity = $1 AND entity_id = ANY ($2::text[]) AND gone_version = version
    AND gone_at < now() - pg_catalog.make_interval(secs => $3)
    AND NOT EXISTS (SELECT FROM mesh.outbox WHERE created_at < now() - pg_catalog.make_interval(secs => $3 / 2.0) LIMIT 1)
  FOR UPDATE SKIP LOCKED)
DELETE FROM mesh.entity_version AS counter USING gone
WHERE counter.entity = $1 AND counter.entity_id = gone.entity_id`;

/** The same of version counters whose row is deleted. */
export async function expireCounters(
  client: PoolClient,
  page: {
    readonly entity: string;
    readonly table: TableDefinition;
    readonly ids: readonly string[];
    readonly seconds: number;
  },
): Promise<number> {
  const { entity, table, ids, seconds } = page;
  const key = keyColumns(table);
  const { rows } = await client.query<{ id: string }>(
    `SELECT ${idSql(key)} AS id FROM ${relationOf(table)} WHERE ${keyIn(key)}`,
    [...keyArrays(key, ids)],
  );
  const alive = new Set(rows.map(({ id }) => id));
  const gone = arrayLiteral(ids.filter((id) => !alive.has(id)));
  if (gone === "{}") return 0;
  const { rowCount } = await client.query(EXPIRE_COUNTERS, [entity, gone, seconds]);
  await client.query(START_COUNTERS, [entity, gone]);
  return rowCount ?? 0;
}
