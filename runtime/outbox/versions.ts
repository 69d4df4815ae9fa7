import type { Seat } from "./leader-lease.js";

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

/** The highest version that this database has given out, or that every next one exceeds. */
export async function highestCounted(seat: Seat): Promise<number> {
  const [row] = await seat.query<[string]>(
    "SELECT greatest(version_floor, (SELECT max(version) FROM mesh.entity_version)) FROM mesh.relay",
    [],
  );
  return Number(row?.[0] ?? 0);
}

/**
 * Rows in the outbox that are not above `base(entity, entity_id, version)` get the versions after it, in
 * order, in their bodies too, and the counters follow, with the version at which the present life began if it is one of
 * them: told too low, it would be taken for the life that consumers know. The body's first `"version"` is its
 * metadata's: an id that contains the word has its quotes escaped.
 */
const RENUMBER = `
stale AS (
    SELECT waiting.seq, waiting.entity, waiting.entity_id, waiting.version AS former,
        base.version + row_number() OVER (PARTITION BY waiting.entity, waiting.entity_id ORDER BY waiting.seq) AS version
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
)
UPDATE mesh.entity_version AS counter
SET version = newest.version, born = coalesce(newest.born, counter.born)
FROM (
    SELECT entity, entity_id, max(stale.version) AS version,
        max(stale.version) FILTER (WHERE stale.former = known.born) AS born
    FROM stale JOIN mesh.entity_version AS known USING (entity, entity_id) GROUP BY entity, entity_id
) AS newest
WHERE counter.entity = newest.entity AND counter.entity_id = newest.entity_id AND counter.version <= newest.version`;

/**
 * Raises the counters of these entities above what the stream holds, never lowers one. Returns how many were raised.
 * Above, not up to: what a restored database has of them differs from what that version said, and a snapshot must
 * be able to say so, even of an entity whose deletion was published since the backup.
 */
export async function liftEntities(seat: Seat, lifts: readonly Lift[]): Promise<number> {
  const columns = [
    lifts.map((lift) => lift.entity),
    lifts.map((lift) => lift.id),
    lifts.map((lift) => lift.version),
  ];
  const raised = await seat.query(
    `INSERT INTO mesh.entity_version AS counter (entity, entity_id, version)
     SELECT entity, entity_id, version + 1 FROM unnest($1::text[], $2::text[], $3::bigint[]) AS published (entity, entity_id, version)
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
 * no version among `unseen` messages exceeds the highest known one by more than that. The floor is one more, as
 * in `liftEntities`, since a snapshot tells it of every entity that is not above it. Returns the floor.
 */
export async function raiseFloor(seat: Seat, unseen: number): Promise<number> {
  return await seat.transaction(async () => {
    await lockVersions(seat);
    const [raised] = await seat.query<[string]>(
      `UPDATE mesh.relay
       SET version_floor = greatest(version_floor, (SELECT coalesce(max(version), 0) FROM mesh.entity_version)) + $1 + 1
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
