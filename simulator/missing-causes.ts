import { scopeOf } from "@meshwright/runtime/simulation";
import { isSynced, type SimulatedMesh, type SimulatedService } from "./mesh.js";
import type { Outcome } from "./world.js";

/*
 * What follows from a message names it as its cause: each event that is written in the transaction of the message, and each task that a
 * cascade leaves there, whose cause the event of its row takes over. Where a snapshot found the deletion there is none to be named.
 */

interface Written {
  readonly what: string;
  readonly message: boolean;
}

/**
 * Transactions of messages: a hook heard of a message there, or a deletion was applied that no snapshot has found. One that a snapshot
 * found has no version of its own; or, of a former incarnation, it leaves the sequence that was known. Without versions only entities that
 * no snapshot reads are counted ($2).
 */
const OF_MESSAGES = `SELECT transaction FROM mesh__sim."$effect" WHERE origin = 'event'
UNION
SELECT transaction FROM mesh__sim."$known" AS known
WHERE service = $1 AND deleted AND (entity = ANY ($2) OR versioned AND stream_seq IS DISTINCT FROM (
  SELECT former.stream_seq FROM mesh__sim."$known" AS former
  WHERE (former.service, former.entity, former.entity_id) = (known.service, known.entity, known.entity_id) AND former.ordinal < known.ordinal
  ORDER BY former.ordinal DESC LIMIT 1))`;

/** Where all tasks that end in a transaction have causes, so have its events. */
const OF_TASKS = `SELECT transaction FROM mesh__sim."$written" WHERE service = $1 AND is_done GROUP BY 1 HAVING bool_and(is_caused)`;

/** One line for each event or task without a cause, that has one. */
export async function checkMissingCauses({ world: { mesh } }: Outcome): Promise<readonly string[]> {
  const all = await Promise.all(mesh.services.map((service) => findMissing(mesh, service)));
  return all.flat();
}

async function findMissing(
  mesh: SimulatedMesh,
  { definition: { name, consumers }, database }: SimulatedService,
): Promise<readonly string[]> {
  const withoutSnapshots = consumers.filter((one) => !isSynced(mesh, one)).map(scopeOf);
  const rows = await database.query<Written>(
    `SELECT DISTINCT what, message FROM mesh__sim."$written" JOIN (
  SELECT transaction, true AS message FROM (${OF_MESSAGES}) AS "$messages" UNION SELECT transaction, false FROM (${OF_TASKS}) AS "$tasks"
) AS "$caused" USING (transaction) WHERE service = $1 AND NOT is_done AND NOT is_caused ORDER BY 1`,
    [name, withoutSnapshots],
  );
  return rows.map(
    ({ what, message }) =>
      `${name}: ${what} names no cause, and follows from a ${message ? "message" : "task"}`,
  );
}
