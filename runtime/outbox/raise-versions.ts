import type { LeaderLease } from "./leader-lease.js";

/*
 * Raises versions, so that what is published next is newer than anything that consumers have applied. To be called in a
 * transaction that began with `lockVersions`.
 */

/** The newest version of an entity in the stream. */
export interface PublishedVersion {
  readonly entity: string;
  readonly id: string;
  readonly version: number;
}

/** Keeps writers from taking versions: running ones finish first, later ones see what was raised. */
export async function lockVersions(lease: LeaderLease): Promise<void> {
  await lease.query("LOCK TABLE mesh.entity_version IN SHARE ROW EXCLUSIVE MODE", []);
}

/** The highest version that this database has given out, or the minimum version where that is higher. */
export async function highestCounted(lease: LeaderLease): Promise<number> {
  const [row] = await lease.query<[string]>(
    "SELECT greatest(minimum_version, (SELECT pg_catalog.max(version) FROM mesh.entity_version)) FROM mesh.relay",
    [],
  );
  return Number(row?.[0] ?? 0);
}

/**
 * Rewrites the versions of outbox rows. Rows of an entity that has any row at or below its version in `base(entity,
 * entity_id, version)` get the versions after that one, in order, in their bodies too. The counters follow, and with them
 * the first version of the present incarnation, where it is one of the rewritten versions: one that is too low would name
 * the incarnation that consumers know. The first `"version"` of a body is its metadata's: an id
 * that contains the word has its quotes escaped.
 */
const REWRITE_OUTBOX_VERSIONS = `
stale AS (
    SELECT waiting.seq, waiting.entity, waiting.entity_id, waiting.version AS former,
        base.version + row_number() OVER (PARTITION BY waiting.entity, waiting.entity_id ORDER BY waiting.seq) AS version
    FROM mesh.outbox AS waiting
    JOIN base ON base.entity = waiting.entity AND base.entity_id = waiting.entity_id
    WHERE EXISTS (
        SELECT FROM mesh.outbox AS low
        WHERE low.entity = base.entity AND low.entity_id = base.entity_id AND low.version <= base.version
    )
), rewritten AS (
    UPDATE mesh.outbox AS waiting
    SET version = stale.version, body = pg_catalog.regexp_replace(waiting.body, '"version"(\\s*):(\\s*)\\d+', '"version"\\1:\\2' || stale.version)
    FROM stale WHERE stale.seq = waiting.seq
)
UPDATE mesh.entity_version AS counter
SET version = newest.version, first_version = coalesce(newest.first_version, counter.first_version)
FROM (
    SELECT entity, entity_id, pg_catalog.max(stale.version) AS version,
        pg_catalog.max(stale.version) FILTER (WHERE stale.former = known.first_version) AS first_version
    FROM stale JOIN mesh.entity_version AS known USING (entity, entity_id) GROUP BY entity, entity_id
) AS newest
WHERE counter.entity = newest.entity AND counter.entity_id = newest.entity_id AND counter.version <= newest.version`;

/**
 * Raises the counters of these entities above their versions in the stream, never lowers one. Returns how many were raised. Above,
 * not to: a restored database has another state of them than that version had, and a snapshot must be able to say so,
 * also of an entity whose deletion was published since the backup.
 */
export async function raiseVersions(
  lease: LeaderLease,
  published: readonly PublishedVersion[],
): Promise<number> {
  const columns = [
    published.map((one) => one.entity),
    published.map((one) => one.id),
    published.map((one) => one.version),
  ];
  const raised = await lease.query(
    `INSERT INTO mesh.entity_version AS counter (entity, entity_id, version)
     SELECT entity, entity_id, version + 1 FROM unnest($1::text[], $2::text[], $3::bigint[]) AS published (entity, entity_id, version)
     ON CONFLICT (entity, entity_id) DO UPDATE SET version = excluded.version WHERE counter.version < excluded.version - 1
     RETURNING 1`,
    columns,
  );
  await lease.query(
    `WITH base AS (SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[]) AS base (entity, entity_id, version)), ${REWRITE_OUTBOX_VERSIONS}`,
    columns,
  );
  return raised.length;
}

/**
 * Raises the minimum version above every version among `unseen` messages that can no longer be read, or that have no version:
 * each event raises a version by one, so none exceeds the highest known one by more than that. One is added, as in `raiseVersions`,
 * since a snapshot sends the minimum version for every entity that is not above it. Returns the minimum version.
 */
export async function raiseMinimumVersion(lease: LeaderLease, unseen: number): Promise<number> {
  return await lease.transaction(async () => {
    await lockVersions(lease);
    const [raised] = await lease.query<[string]>(
      `UPDATE mesh.relay
       SET minimum_version = greatest(minimum_version, (SELECT coalesce(pg_catalog.max(version), 0) FROM mesh.entity_version)) + $1 + 1
       RETURNING minimum_version`,
      [unseen],
    );
    await lease.query(
      `WITH base AS (SELECT DISTINCT entity, entity_id, (SELECT minimum_version FROM mesh.relay) AS version FROM mesh.outbox), ${REWRITE_OUTBOX_VERSIONS}`,
      [],
    );
    return Number(raised?.[0] ?? 0);
  });
}
