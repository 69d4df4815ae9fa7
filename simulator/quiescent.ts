import type { SimulatedService } from "./mesh.js";
import type { Cast } from "./replica-slots.js";

/*
 * When a mesh has nothing left to do.
 */

interface Left {
  readonly outbox: number;
  readonly attempts: number;
  readonly tasks: number;
  readonly stale: number;
}

export interface Leftover {
  readonly what: string;
  /** All that events tell has arrived; only snapshots are due. */
  readonly arrived: boolean;
}

/** What somebody still has to do; undefined when there is nothing. */
export async function whatIsLeft(cast: Cast, sinceMs: number): Promise<Leftover | undefined> {
  const { world } = cast;
  let due: string | undefined;
  const underWay = (what: string): Leftover => ({ what, arrived: false });
  for (const service of world.mesh.services) {
    const { name } = service.definition;
    const { outbox, attempts, tasks, stale } = await countLeft(cast, service, sinceMs);
    if (outbox > 0) return underWay(`${outbox} events in the outbox of ${name}`);
    if (attempts > 0) return underWay(`${attempts} events that ${name} tries again`);
    if (tasks > 0) return underWay(`${tasks} cascades of ${name} that wait for their hook`);
    if (stale > 0) due = `${stale} snapshots of ${name} that are due`;
    for (const { durable, stream } of service.definition.consumers) {
      const state = world.server.port.consumerState(stream.name, durable);
      if (state === undefined) return underWay(`the durable ${durable} is not there`);
      const { pending, ackPending } = state;
      if (pending + ackPending > 0)
        return underWay(`${pending} messages for ${durable}, ${ackPending} without an ack`);
    }
  }
  return due === undefined ? undefined : { what: due, arrived: true };
}

async function countLeft(
  cast: Cast,
  { definition, database }: SimulatedService,
  sinceMs: number,
): Promise<Left> {
  const synced = definition.consumers.filter(({ sync }) => sync !== undefined).map(({ durable }) => durable);
  const now = Date.now() + (cast.troubles.skew.get(database.name) ?? 0);
  // Later than now: taken before its clock was set back, so before that, too.
  const mendedAt = now - cast.world.time.elapsed() + sinceMs;
  const [left] = await database.query<Left>(
    `SELECT (SELECT count(*) FROM mesh.outbox)::integer AS outbox, (SELECT count(*) FROM mesh.attempt)::integer AS attempts,
  (SELECT count(*) FROM mesh.cascade_task)::integer AS tasks,
  (SELECT count(*) FROM unnest($1::text[]) AS durable LEFT JOIN mesh.subscription USING (durable)
   WHERE snapshot_at IS NULL OR snapshot_at <= to_timestamp($2 / 1000.0) OR snapshot_at > to_timestamp($3 / 1000.0)
     OR snapshot_error IS NOT NULL)::integer AS stale`,
    [synced, mendedAt, now],
  );
  if (left === undefined) throw new Error(`${database.name} does not answer`);
  return left;
}
