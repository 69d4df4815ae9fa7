import type { ClientBase } from "pg";
import { aheadReason, aheadSql } from "../resync/source-trust.js";

/** An entity of which the cache has a later version than its source: the source's events are ignored. */
export interface AheadRow {
  readonly id: string;
  readonly reason: string;
}

type ListedVersion = { readonly id: string; readonly version: number | null };

/**
 * To be called before the source is read. The source already has what was applied before this call, so a later version that
 * the result finds is no event in flight, and needs no second read.
 */
export async function findsAhead(
  client: ClientBase,
  scope: string,
): Promise<(listed: readonly ListedVersion[]) => Promise<readonly AheadRow[]>> {
  const { rows } = await client.query<{ seq: string }>(
    "SELECT coalesce(pg_catalog.max(stream_seq), 0) AS seq FROM mesh.applied WHERE entity = $1",
    [scope],
  );
  const seq = rows[0]?.seq ?? "0";
  return async (listed) => {
    const versioned = listed.filter(({ version }) => version !== null);
    if (versioned.length === 0) return [];
    const ids = versioned.map(({ id }) => id);
    const versions = versioned.map(({ version }) => version);
    const found = await client.query<{ id: string; version: string; listed: string }>(FIND_AHEAD, [
      scope,
      ids,
      versions,
      seq,
    ]);
    return found.rows.map(({ id, version, listed: at }) => ({ id, reason: aheadReason(version, at) }));
  };
}

const FIND_AHEAD = `SELECT listed.id, state.version, listed.version AS listed
FROM unnest($2::text[], $3::bigint[]) AS listed (id, version)
JOIN LATERAL (SELECT * FROM mesh.applied WHERE entity = $1 AND entity_id = listed.id OFFSET 0) AS state ON true
WHERE ${aheadSql("state", "listed.version", "$4::bigint")}`;
