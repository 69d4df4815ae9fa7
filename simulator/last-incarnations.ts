import { matches, scopeOf } from "@meshwright/runtime/simulation";
import { readEarlierRows } from "./earlier-rows.js";
import { type Copy, isCreationUnmade, isSynced } from "./mesh.js";
import { metadataOf } from "./message-body.js";
import { isLossy } from "./plan.js";
import type { Outcome, World } from "./world.js";

/** A hook that ran. */
export interface Effect {
  readonly entity_id: string;
  readonly event_id: string;
  readonly version: string | null;
  readonly action: string;
  readonly change: string;
  readonly origin: string;
}

/** For the last incarnation of each entity the creation hook ran, and the deletion hook where it is deleted. */
export async function checkLastIncarnations(
  { world }: Outcome,
  copy: Copy,
  { effects, living }: { readonly effects: readonly Effect[]; readonly living: ReadonlySet<string> },
): Promise<readonly string[]> {
  const { consumer, service } = copy;
  // A snapshot without a cache has ids only: too little to call hooks for events that were lost.
  if (consumer.cache === undefined && isLossy(world.plan)) return [];
  const { events, durable } = consumer;
  const changes = new Set(events.map(({ event }) => event.change));
  if (!changes.has("create") || !changes.has("delete")) return [];
  const earlier = await readEarlierRows(copy);
  const states = await service.database.query<{ id: string; deleted: boolean }>(
    "SELECT entity_id AS id, deleted FROM mesh.applied WHERE entity = $1 AND (version IS NOT NULL OR stream_seq IS NOT NULL)",
    [scopeOf(consumer)],
  );
  const untold = readUntoldCreations(world, copy);
  // Without snapshots nobody tells of a creation that was lost, and an update may be the first event that is applied.
  const isUnhealed = isLossy(world.plan) && !isSynced(world.mesh, consumer);
  return states.flatMap(({ id }) => {
    if (earlier.has(id)) return [];
    const ran = effects.filter(({ entity_id }) => entity_id === id).map(({ change }) => change);
    const turns = ran.filter((change) => change === "create" || change === "delete");
    const again = turns.find((change, at) => change === turns[at - 1]);
    if (again !== undefined && !isLossy(world.plan))
      return [
        `${durable}: the ${again} hook of ${JSON.stringify(id)} ran twice in a row: ${turns.join(", ")}`,
      ];
    const last = ran.findLast((change) => change === "create" || change === "delete");
    const created = last === "create" || (isUnhealed && ran.at(-1) === "update");
    if (living.has(id) && !created && !untold(id))
      return [`${durable}: no hook for the creation of ${JSON.stringify(id)} ran`];
    if (!living.has(id) && last === "create")
      return [`${durable}: no hook for the deletion of ${JSON.stringify(id)} ran`];
    return [];
  });
}

/**
 * Whether nobody can hear of the present creation of an entity: no row can make its event, and its message is gone, or a database was
 * restored, after which what was applied is not delivered again.
 */
function readUntoldCreations(
  { plan, mesh, server }: Pick<World, "plan" | "mesh" | "server">,
  copy: Copy,
): (id: string) => boolean {
  if (!isLossy(plan) || !isCreationUnmade(mesh, copy)) return () => false;
  if (plan.faults.some(({ kind }) => kind === "restore the database")) return () => true;
  const { consumer } = copy;
  const actions = consumer.events.flatMap(({ event }) => (event.change === "create" ? [event.action] : []));
  const isThere = new Map<string | undefined, boolean>();
  for (const message of server.log(consumer.stream.name)) {
    const { subject, gone } = message;
    if (matches(consumer.filter, subject) && actions.some((action) => subject.endsWith(`.${action}`)))
      isThere.set(metadataOf(message).entity_id, gone === undefined);
  }
  return (id) => isThere.get(id) !== true;
}
