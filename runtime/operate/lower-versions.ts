import type { Pool } from "pg";
import { inTransaction } from "../database/transaction.js";
import { PLAUSIBLE_VERSION } from "../values/version.js";

export interface LoweredVersions {
  /** Entities whose counters were beyond what can be counted. */
  readonly entities: number;
  /** Whether the floor, which every next version exceeds, was. */
  readonly floor: boolean;
  /** Where they go on from: the highest counter that is plausible. */
  readonly to: number;
}

/**
 * Lowers an owner's counters that are beyond what can be counted: a forged event was taken for the newest one. They go
 * on above every version that copies can rightly know, as other entities of the same life: when it began is not known.
 * Copies that know higher ones hear nothing of those entities until they take their source's word.
 */
export async function lowerVersions(pool: Pool): Promise<LoweredVersions> {
  return await inTransaction(pool, async (tx) => {
    await tx.query("LOCK TABLE mesh.entity_version IN SHARE ROW EXCLUSIVE MODE");
    const { rows } = await tx.query<{ to: string }>(
      `SELECT greatest(
  (SELECT max(version) FROM mesh.entity_version WHERE version <= $1),
  (SELECT max(version_floor) FROM mesh.relay WHERE version_floor <= $1), 0) AS to`,
      [PLAUSIBLE_VERSION],
    );
    const to = Number(rows[0]?.to ?? 0);
    const values = [PLAUSIBLE_VERSION, to];
    const entities = await tx.query(
      "UPDATE mesh.entity_version SET version = $2, born = NULL WHERE version > $1",
      values,
    );
    const floor = await tx.query("UPDATE mesh.relay SET version_floor = $2 WHERE version_floor > $1", values);
    return { entities: entities.rowCount ?? 0, floor: floor.rowCount === 1, to };
  });
}
