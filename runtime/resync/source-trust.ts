import type { PoolClient } from "pg";
import type { ConsumerModel } from "../inbox/consumer-model.js";
import { arrayLiteral } from "../values/array-literal.js";
import type { Run } from "./snapshot-run.js";
import type { UnfitRow } from "./unfit-rows.js";

/*
 * Entities that are ahead of their source: known here at versions beyond the source's, by a forged or broken event, or since
 * the source has lost its counters. To the guard all that the source says of them is stale. A snapshot notes them in
 * `"$ahead"` and skips them; one that is to trust its source takes their versions here back and reads the source again.
 */

export const CREATE_AHEAD = `CREATE TEMPORARY TABLE "$ahead" (
  entity_id text COLLATE "C" NOT NULL, version bigint NOT NULL, source_version bigint NOT NULL)`;

/**
 * Whether a state is ahead of its source, which was read after everything that the state comes from: it has a later version,
 * or says that the entity was deleted at the very version at which it lives there.
 */
export function aheadSql(state: string, sourceVersion: string, seq: string): string {
  return `(${state}.version > ${sourceVersion} OR (${state}.version = ${sourceVersion} AND ${state}.versioned AND ${state}.deleted))
  AND coalesce(${state}.stream_seq, 0) <= ${seq}`;
}

const NOTE_AHEAD = `INSERT INTO "$ahead" (entity_id, version, source_version)
SELECT given.id, state.version, given.version FROM unnest($2::text[], $3::bigint[]) AS given (id, version)
JOIN LATERAL (SELECT * FROM mesh.applied WHERE entity = $1 AND entity_id = given.id OFFSET 0) AS state ON true
WHERE ${aheadSql("state", "given.version", "$4")}`;

/** For a consumer without a cache; with one, the statement that merges its rows notes them. */
export async function noteAhead(
  { client, model, seq }: Run,
  rows: readonly { readonly id: string; readonly version: number | null }[],
): Promise<void> {
  await client.query(NOTE_AHEAD, [
    model.scope,
    arrayLiteral(rows.map(({ id }) => id)),
    arrayLiteral(rows.map(({ version }) => version)),
    seq,
  ]);
}

export interface Ahead {
  readonly count: number;
  /** The first of them, as `mesh status` shows them. */
  readonly first: readonly UnfitRow[];
}

const SHOWN = 100;

export async function readAhead(client: PoolClient): Promise<Ahead> {
  const { rows } = await client.query<{ id: string; version: string; sourceVersion: string; total: number }>(
    `SELECT entity_id AS id, pg_catalog.max(version) AS version, pg_catalog.min(source_version) AS "sourceVersion", (count(*) OVER ())::integer AS total
FROM "$ahead" GROUP BY entity_id ORDER BY entity_id LIMIT ${SHOWN}`,
  );
  const first = rows.map(({ id, version, sourceVersion }) => ({
    ordinal: null,
    id,
    reason: aheadReason(version, sourceVersion),
    element: null,
  }));
  return { count: rows[0]?.total ?? 0, first };
}

export function aheadReason(version: string, sourceVersion: string): string {
  const here =
    version === sourceVersion ? `deleted here at version ${version}` : `version ${version} is known here`;
  return `${here}, its source is at ${sourceVersion}: heal it with mesh resync --trust-source`;
}

/** What is known of the source's versions, beside those of its rows. */
export interface Trusted {
  /** The highest version that it ever gave to any entity; undefined where it does not say. */
  readonly highest: number | undefined;
  /** It keeps no versions. */
  readonly unversioned: boolean;
}

/**
 * Lowers the version to the one before the source's, so that the source's row and its hooks are news. Without a cache the
 * skipped events must reach their hooks by themselves: there the sequence counts until an event tells a version.
 */
const TAKE_BACK = `WITH "$lowered" AS (
  SELECT state.entity_id, CASE WHEN $2 AND ahead.source_version > 0 THEN ahead.source_version - 1 END AS version FROM mesh.applied AS state
  JOIN (SELECT entity_id, pg_catalog.min(source_version) AS source_version FROM "$ahead" GROUP BY entity_id) AS ahead USING (entity_id)
  WHERE state.entity = $1 AND ${aheadSql("state", "ahead.source_version", "$3")}
  ORDER BY state.entity_id FOR UPDATE OF state
)
UPDATE mesh.applied AS state SET version = "$lowered".version, versioned = "$lowered".version IS NOT NULL
FROM "$lowered" WHERE state.entity = $1 AND state.entity_id = "$lowered".entity_id`;

/**
 * Forgets versions of entities that the source does not have: a tombstone beyond every version of its owner would keep the
 * entity from being created again. Forgets all of them where the source keeps no versions.
 */
const FORGET = `WITH "$doubted" AS (
  SELECT entity_id FROM mesh.applied AS state
  WHERE entity = $1 AND coalesce(stream_seq, 0) <= $2 AND version IS NOT NULL AND ($3::bigint IS NULL OR version > $3)
    AND ($4 OR NOT EXISTS (SELECT FROM "$snapshot" AS seen WHERE seen.entity_id = state.entity_id))
  ORDER BY entity_id FOR UPDATE
)
UPDATE mesh.applied AS state SET version = NULL, versioned = false
FROM "$doubted" WHERE state.entity = $1 AND state.entity_id = "$doubted".entity_id`;

/** Takes back the versions of entities that are ahead. Gives their number; the next snapshot merges their rows. */
export async function overrule(run: Run, trusted: Trusted): Promise<number> {
  const { client, model, seq } = run;
  await client.query("BEGIN");
  const lowered = await client.query(TAKE_BACK, [model.scope, model.cache !== undefined, seq]);
  const highest = trusted.unversioned ? null : (trusted.highest ?? null);
  const forgotten = await client.query(FORGET, [model.scope, seq, highest, trusted.unversioned]);
  await client.query("COMMIT");
  return (lowered.rowCount ?? 0) + (forgotten.rowCount ?? 0);
}

/** For the log: entities that are ahead, and therefore not healed. */
export function describeAhead({ definition }: ConsumerModel, { count, first }: Ahead): object {
  const shown = first.slice(0, 10).map(({ id, reason }) => `${id}: ${reason}`);
  return { entity: definition.entity, entities: count, first: shown };
}
