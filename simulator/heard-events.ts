import { matches } from "@meshwright/runtime/simulation";
import { type Copy, isForeign } from "./mesh.js";
import { metadataOf } from "./message-body.js";
import { isLossy } from "./plan.js";
import type { Outcome } from "./world.js";

/** A message of an entity whose life goes on. */
interface Told {
  readonly eventId: string;
  readonly id: string;
  readonly version: number;
  readonly action: string;
}

/**
 * Hooks have heard once of each event that no snapshot tells in its stead: of what changes nothing, and of what no row can make. Of
 * entities that live, since their present life began. Not checked where messages were lost on purpose.
 */
export async function checkHeardEvents(
  outcome: Outcome,
  copy: Copy,
  living: ReadonlySet<string>,
): Promise<readonly string[]> {
  const { plan, mesh } = outcome.world;
  const { consumer, owner, service } = copy;
  if (!plan.effects || isLossy(plan) || isForeign(owner)) return [];
  const changes = new Map(consumer.events.map(({ event }) => [event.action, event.change]));
  const unmade = new Map(Object.entries(mesh.unmade)).get(service.definition.name) ?? [];
  const told = readTold(outcome, copy).filter(({ id }) => living.has(id));
  const began = new Map<string, number>();
  for (const { id, version, action } of told)
    if (changes.get(action) === "create") began.set(id, Math.max(version, began.get(id) ?? 0));
  const effects = await service.database.query<{ id: string; times: number }>(
    `SELECT event_id AS id, count(*)::integer AS times FROM mesh__sim."$effect" WHERE durable = $1 GROUP BY 1`,
    [consumer.durable],
  );
  const heard = new Map(effects.map(({ id, times }) => [id, times]));
  return told.flatMap(({ eventId, id, version, action }) => {
    const isDue = changes.get(action) === "none" || unmade.includes(`${consumer.entity}.${action}`);
    const times = heard.get(eventId) ?? 0;
    if (!isDue || version < (began.get(id) ?? 0) || times === 1) return [];
    return [
      `${consumer.durable}: the hook for ${action} of ${JSON.stringify(id)}, version ${version}, ran ${times} times`,
    ];
  });
}

function readTold({ world, poison }: Outcome, { consumer }: Copy): readonly Told[] {
  const read = new Map<string, Told>();
  for (const message of world.server.log(consumer.stream.name)) {
    const { subject } = message;
    if (!matches(consumer.filter, subject) || poison.includes(subject)) continue;
    const { event_id: eventId = "", entity_id: id = "", version } = metadataOf(message);
    const action = subject.split(".").at(-1) ?? "";
    if (version !== undefined) read.set(eventId, { eventId, id, version, action });
  }
  return [...read.values()];
}
