import type { PoolClient } from "pg";
import { arrayLiteral } from "../database/columns.js";
import type { ConsumerModel } from "../inbox/consumer-model.js";
import type { Run } from "./snapshot-run.js";
import type { UnfitRow } from "./unfit-rows.js";

/*
 * Entities of which more is known here than their source can have told: by a forged or broken event, or since the
 * source has lost its counters. For the guard all that the source says of them is old news. A snapshot notes them in
 * `"$ahead"`, and leaves them; told to take the source's word, it takes the guard's versions back, and reads once more.
 */

export const CREATE_AHEAD = `CREATE TEMPORARY TABLE "$ahead" (
  entity_id text COLLATE "C" NOT NULL, version bigint NOT NULL, told bigint NOT NULL)`;

/**
 * Whether a state says more than its source, which was read after all that the state is of: a later version, or that
 * what lives there at this very version was deleted.
 */
export function aheadSql(state: string, told: string, seq: string): string {
  return `(${state}.version > ${told} OR (${state}.version = ${told} AND ${state}.versioned AND ${state}.deleted))
  AND coalesce(${state}.stream_seq, 0) <= ${seq}`;
}

const NOTE_AHEAD = `INSERT INTO "$ahead" (entity_id, version, told)
SELECT told.id, state.version, told.version FROM unnest($2::text[], $3::bigint[]) AS told (id, version)
JOIN LATERAL (SELECT * FROM mesh.applied WHERE entity = $1 AND entity_id = told.id OFFSET 0) AS state ON true
WHERE ${aheadSql("state", "told.version", "$4")}`;

/** For a consumer without a cache; with one, the statement that merges its rows notes them. */
export async function noteAhead(
  { client, model, seq }: Run,
  told: readonly { readonly id: string; readonly version: number | null }[],
): Promise<void> {
  await client.query(NOTE_AHEAD, [
    model.definition.entity,
    arrayLiteral(told.map(({ id }) => id)),
    arrayLiteral(told.map(({ version }) => version)),
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
  const { rows } = await client.query<{ id: string; version: string; told: string; total: number }>(
    `SELECT entity_id AS id, max(version) AS version, min(told) AS told, (count(*) OVER ())::integer AS total
FROM "$ahead" GROUP BY entity_id ORDER BY entity_id LIMIT ${SHOWN}`,
  );
  const first = rows.map(({ id, version, told }) => ({
    place: null,
    id,
    reason: aheadReason(version, told),
    element: null,
  }));
  return { count: rows[0]?.total ?? 0, first };
}

export function aheadReason(version: string, told: string): string {
  const here = version === told ? `deleted here at version ${version}` : `version ${version} is known here`;
  return `${here}, its source is at ${told}: heal it with mesh resync --trust-source`;
}

/** What the source says of versions, beside those of its rows. */
export interface Trusted {
  /** The highest that it ever gave to any entity; undefined where it does not say. */
  readonly highest: number | undefined;
  /** It keeps no versions. */
  readonly unversioned: boolean;
}

/**
 * To the version before the one that is told, so that the row and the hooks of what was passed over are news. What a
 * consumer without a cache has passed over must reach its hook by itself: there the sequence counts until a version comes.
 */
const TAKE_BACK = `WITH "$lowered" AS (
  SELECT state.entity_id, CASE WHEN $2 AND ahead.told > 0 THEN ahead.told - 1 END AS version FROM mesh.applied AS state
  JOIN (SELECT entity_id, min(told) AS told FROM "$ahead" GROUP BY entity_id) AS ahead USING (entity_id)
  WHERE state.entity = $1 AND ${aheadSql("state", "ahead.told", "$3")}
  ORDER BY state.entity_id FOR UPDATE OF state
)
UPDATE mesh.applied AS state SET version = "$lowered".version, versioned = "$lowered".version IS NOT NULL
FROM "$lowered" WHERE state.entity = $1 AND state.entity_id = "$lowered".entity_id`;

/**
 * Of what the source does not have any more: a tombstone beyond every version of its owner would keep the entity from
 * being created again. All of them where nothing is known of versions there.
 */
const FORGET = `WITH "$doubted" AS (
  SELECT entity_id FROM mesh.applied AS state
  WHERE entity = $1 AND coalesce(stream_seq, 0) <= $2 AND version IS NOT NULL AND ($3::bigint IS NULL OR version > $3)
    AND ($4 OR NOT EXISTS (SELECT FROM "$told" AS told WHERE told.entity_id = state.entity_id))
  ORDER BY entity_id FOR UPDATE
)
UPDATE mesh.applied AS state SET version = NULL, versioned = false
FROM "$doubted" WHERE state.entity = $1 AND state.entity_id = "$doubted".entity_id`;

/** Takes back what the guard knows beyond its source. Gives the number of entities; their rows are for the next snapshot. */
export async function overrule(run: Run, trusted: Trusted): Promise<number> {
  const { client, model, seq } = run;
  const { entity } = model.definition;
  await client.query("BEGIN");
  const lowered = await client.query(TAKE_BACK, [entity, model.cache !== undefined, seq]);
  const highest = trusted.unversioned ? null : (trusted.highest ?? null);
  const forgotten = await client.query(FORGET, [entity, seq, highest, trusted.unversioned]);
  await client.query("COMMIT");
  return (lowered.rowCount ?? 0) + (forgotten.rowCount ?? 0);
}

/** Rows of the caller's model that the guard keeps from being healed. */
export function describeAhead({ definition }: ConsumerModel, { count, first }: Ahead): object {
  const shown = first.slice(0, 10).map(({ id, reason }) => `${id}: ${reason}`);
  return { entity: definition.entity, entities: count, first: shown };
}
