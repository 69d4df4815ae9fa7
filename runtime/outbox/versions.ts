import type { Seat } from "./seat.js";

/*
 * Moving versions on, so that what is published next is newer than anything consumers have seen. Each of these
 * belongs into a transaction that began with `lockVersions`.
 */

/** The newest version of an entity that the stream holds. */
export interface Lift {
  readonly entity: string;
  readonly id: string;
  readonly version: number;
}

/** Keeps writers from taking versions: those under way finish first, later ones see what was raised here. */
export async function lockVersions(seat: Seat): Promise<void> {
  await seat.query("LOCK TABLE mesh.entity_version IN SHARE ROW EXCLUSIVE MODE", []);
}

/**
 * Rows in the outbox that are not above `base(entity, entity_id, version)` get the versions after it, in
 * order, in their bodies too, and the counters follow. The body's first `"version"` is its metadata's: an id that
 * contains the word has its quotes escaped.
 */
const RENUMBER = `
stale AS (
    SELECT waiting.seq, base.version + row_number() OVER (PARTITION BY waiting.entity, waiting.entity_id ORDER BY waiting.seq) AS version
    FROM mesh.outbox AS waiting
    JOIN base ON base.entity = waiting.entity AND base.entity_id = waiting.entity_id
    WHERE EXISTS (
        SELECT FROM mesh.outbox AS low
        WHERE low.entity = base.entity AND low.entity_id = base.entity_id AND low.version <= base.version
    )
), renumbered AS (
    UPDATE mesh.outbox AS waiting
    SET version = stale.version, body = regexp_replace(waiting.body, '"version"(\\s*):(\\s*)\\d+', '"version"\\1:\\2' || stale.version)
    FROM stale WHERE stale.seq = waiting.seq
    RETURNING waiting.entity, waiting.entity_id, waiting.version
)
UPDATE mesh.entity_version AS counter
SET version = newest.version
FROM (SELECT entity, entity_id, max(version) AS version FROM renumbered GROUP BY entity, entity_id) AS newest
WHERE counter.entity = newest.entity AND counter.entity_id = newest.entity_id AND counter.version < newest.version`;

/**
 * Raises the counters of these entities that are behind the stream, to one more than it holds, never lowers one.
 * One more: the rows are those of a backup, and a snapshot that told them under the newest version would be no news
 * to a consumer that applied that version, least of all where it was a deletion. Returns how many were raised.
 */
export async function liftEntities(seat: Seat, lifts: readonly Lift[]): Promise<number> {
  const columns = [
    lifts.map((lift) => lift.entity),
    lifts.map((lift) => lift.id),
    lifts.map((lift) => lift.version),
  ];
  const raised = await seat.query(
    `INSERT INTO mesh.entity_version AS counter (entity, entity_id, version)
     SELECT entity, entity_id, version + 1 FROM unnest($1::text[], $2::text[], $3::bigint[]) AS lift (entity, entity_id, version)
     ON CONFLICT (entity, entity_id) DO UPDATE SET version = excluded.version WHERE counter.version < excluded.version - 1
     RETURNING 1`,
    columns,
  );
  await seat.query(
    `WITH base AS (SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[]) AS base (entity, entity_id, version)), ${RENUMBER}`,
    columns,
  );
  return raised.length;
}

/**
 * For messages that cannot be read any more, or that say no version: each event raises a version by one, so
 * no version among `unseen` messages exceeds the highest known one by more than that. Returns the floor.
 */
export async function raiseFloor(seat: Seat, unseen: number): Promise<number> {
  return await seat.transaction(async () => {
    await lockVersions(seat);
    const [raised] = await seat.query<[string]>(
      `UPDATE mesh.relay
       SET version_floor = greatest(version_floor, (SELECT coalesce(max(version), 0) FROM mesh.entity_version)) + $1
       RETURNING version_floor`,
      [unseen],
    );
    await seat.query(
      `WITH base AS (SELECT DISTINCT entity, entity_id, (SELECT version_floor FROM mesh.relay) AS version FROM mesh.outbox), ${RENUMBER}`,
      [],
    );
    return Number(raised?.[0] ?? 0);
  });
}
