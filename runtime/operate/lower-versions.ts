import type { Pool } from "pg";
import { inTransaction } from "../database/transaction.js";
import { PLAUSIBLE_VERSION } from "../values/version.js";

/** What `lowerVersions` changed. */
export interface LoweredVersions {
  /** Entities whose counters were implausibly high. */
  readonly entities: number;
  /** Whether the minimum version, which every next version exceeds, was implausibly high. */
  readonly minimumVersion: boolean;
  /** The version from which they go on: the highest plausible counter. */
  readonly to: number;
}

/**
 * Lowers an owner's counters that are implausibly high, since a forged event was believed. They go on above every plausible version, and
 * the first version of their incarnation is unknown. Caches that have the higher versions ignore events of those entities
 * until a resync with `trust=source`.
 */
export async function lowerVersions(pool: Pool): Promise<LoweredVersions> {
  return await inTransaction(pool, async (tx) => {
    await tx.query("LOCK TABLE mesh.entity_version IN SHARE ROW EXCLUSIVE MODE");
    const { rows } = await tx.query<{ to: string }>(
      `SELECT greatest(
  (SELECT pg_catalog.max(version) FROM mesh.entity_version WHERE version <= $1),
  (SELECT pg_catalog.max(minimum_version) FROM mesh.relay WHERE minimum_version <= $1), 0) AS to`,
      [PLAUSIBLE_VERSION],
    );
    const to = Number(rows[0]?.to ?? 0);
    const values = [PLAUSIBLE_VERSION, to];
    const entities = await tx.query(
      "UPDATE mesh.entity_version SET version = $2, first_version = NULL WHERE version > $1",
      values,
    );
    const minimumVersion = await tx.query(
      "UPDATE mesh.relay SET minimum_version = $2 WHERE minimum_version > $1",
      values,
    );
    return { entities: entities.rowCount ?? 0, minimumVersion: minimumVersion.rowCount === 1, to };
  });
}
