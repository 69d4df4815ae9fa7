import type { Harness } from "./harness.js";
import { isSynced, type SimulatedService, subscriptionsOf } from "./mesh.js";

/*
 * When a mesh is quiescent: nothing is queued, in flight, due for a retry or due for a snapshot.
 */

export interface PendingWork {
  readonly what: string;
  /** Every event was applied; only snapshots are due. */
  readonly onlySnapshots: boolean;
  /** They are due since hooks fail on rows of theirs. */
  readonly hooksFail: boolean;
}

/** The first thing that is still to be done; undefined when the mesh is quiescent. Snapshots count that were read after `since`. */
export async function findPendingWork(harness: Harness, since: number): Promise<PendingWork | undefined> {
  const { world } = harness;
  let snapshots: PendingWork | undefined;
  const pending = (what: string): PendingWork => ({ what, onlySnapshots: false, hooksFail: false });
  for (const { entity, pending: count } of world.foreign)
    if (count() > 0) return pending(`${count()} messages of ${entity.service}`);
  for (const service of world.mesh.services) {
    const { name } = service.definition;
    const { outbox, attempts, tasks, moments, stale, hooks } = await countPending(harness, service, since);
    if (outbox > 0) return pending(`${outbox} events in the outbox of ${name}`);
    if (attempts > 0) return pending(`${attempts} events that ${name} tries again`);
    if (tasks > 0) return pending(`${tasks} cascades of ${name} that wait for their hook`);
    if (moments > 0) return pending(`${moments} moments of ${name} that have come or will soon`);
    if (stale > 0)
      snapshots = {
        what: hooks ?? `${stale} snapshots of ${name} that are due`,
        onlySnapshots: true,
        hooksFail: hooks !== null && snapshots?.hooksFail !== false,
      };
  }
  for (const { durable, stream } of subscriptionsOf([...world.mesh.services, ...world.mesh.stateless])) {
    const pendingMessages = pendingOf(world, stream.name, durable);
    if (pendingMessages !== undefined) return pending(pendingMessages);
  }
  return snapshots;
}

function pendingOf({ server }: Harness["world"], stream: string, durable: string): string | undefined {
  const state = server.port.consumerState(stream, durable);
  if (state === undefined) return `the durable ${durable} is not there`;
  const { pending, ackPending } = state;
  return pending + ackPending > 0
    ? `${pending} messages for ${durable}, ${ackPending} without an ack`
    : undefined;
}

interface PendingCounts {
  readonly outbox: number;
  readonly attempts: number;
  readonly tasks: number;
  readonly moments: number;
  /** Snapshots that are too old. */
  readonly stale: number;
  /** Why hooks fail on rows of snapshots, if nothing else makes snapshots too old. */
  readonly hooks: string | null;
}

async function countPending(
  { world, activeFaults }: Harness,
  { definition, database }: SimulatedService,
  since: number,
): Promise<PendingCounts> {
  const synced = definition.consumers
    .filter((consumer) => isSynced(world.mesh, consumer))
    .map(({ durable }) => durable);
  const now = Date.now() + (activeFaults.skew.get(database.name) ?? 0);
  const staleBefore = now - world.time.elapsed() + since;
  // A snapshot later than now was taken before the database's clock was set back, so it is stale, too.
  const [counts] = await database.query<PendingCounts>(
    `SELECT (SELECT count(*) FROM mesh.outbox)::integer AS outbox, (SELECT count(*) FROM mesh.attempt)::integer AS attempts,
  (SELECT count(*) FROM mesh.cascade_task)::integer AS tasks,
  ((SELECT count(*) FROM mesh.moment WHERE due_at <= to_timestamp($3 / 1000.0)) + (SELECT count(*) FROM mesh__sim."$moment"
   WHERE split_part(event, '.', 1) = $4 AND NOT told AND at > to_timestamp($3 / 1000.0) AND at <= to_timestamp($3 / 1000.0) + interval '1 minute'))::integer AS moments,
  (SELECT count(*) FROM unnest($1::text[]) AS durable LEFT JOIN mesh.subscription USING (durable)
   WHERE snapshot_at IS NULL OR snapshot_at <= to_timestamp($2 / 1000.0) OR snapshot_at > to_timestamp($3 / 1000.0)
     OR snapshot_error IS NOT NULL OR snapshot_wanted IS NOT NULL)::integer AS stale,
  (SELECT min(durable || ': ' || reason) FROM mesh.unfit_row JOIN mesh.subscription USING (durable)
   WHERE durable = ANY ($1) AND snapshot_error LIKE 'hooks failed%' AND snapshot_at > to_timestamp($2 / 1000.0)) AS hooks`,
    [synced, staleBefore, now, definition.name],
  );
  if (counts === undefined) throw new Error(`${database.name} does not answer`);
  return counts;
}
