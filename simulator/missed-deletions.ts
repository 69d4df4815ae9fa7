import type { ConsumerDefinition } from "@meshwright/runtime";
import { scopeOf } from "@meshwright/runtime/simulation";
import { type Copy, isForeign } from "./mesh.js";
import { metadataOf } from "./message-body.js";
import { isLossy } from "./plan.js";
import type { Outcome } from "./world.js";

/** A state of an entity, as the consumer knew it. */
interface KnownState {
  readonly id: string;
  readonly version: number;
  readonly deleted: boolean;
  readonly seq: number | null;
}

/**
 * A consumer that knew an entity as alive must apply or infer its deletion before it knows the entity's next incarnation.
 * This reads every state that the consumer knew in between: the rows that a missed deletion leaves behind are mostly
 * removed by the next one, so the final state rarely shows it. Not checked where messages were lost on purpose.
 */
export async function checkMissedDeletions(outcome: Outcome, copy: Copy): Promise<readonly string[]> {
  const { consumer, service } = copy;
  const { plan } = outcome.world;
  // Events of an external service have no versions.
  if (isForeign(copy.owner)) return [];
  if (isLossy(plan) || !(plan.effects || hangsOnDeletions(consumer))) return [];
  const known = new Map<string, KnownState[]>();
  const rows = await service.database.query<KnownState>(
    `SELECT entity_id AS id, coalesce(version, 0)::integer AS version, deleted, stream_seq::integer AS seq
FROM mesh__sim."$known" WHERE entity = $1 AND service = $2 ORDER BY ordinal`,
    [scopeOf(consumer), service.definition.name],
  );
  for (const row of rows) known.set(row.id, [...(known.get(row.id) ?? []), row]);
  const firstVersions = readFirstVersions(outcome, copy);
  return [...known].flatMap(([id, states]) =>
    states.flatMap((now, at) => {
      const before = states[at - 1];
      // Only referred to, or only found in a snapshot: no incarnation is known that another could be told from.
      if (before === undefined || before.version === 0 || before.seq === null || now.seq === null) return [];
      if (before.deleted || now.deleted) return [];
      const first = (firstVersions.get(id) ?? []).find((one) => one > before.version && one <= now.version);
      if (first === undefined) return [];
      return [
        `${consumer.durable}: missed a deletion of ${JSON.stringify(id)}, whose next incarnation began at version ${first} (known at ${before.version}, then at ${now.version})`,
      ];
    }),
  );
}

/** Else a re-creation that overtakes the deletion replaces the row, and nothing is left that the deletion would have changed. */
function hangsOnDeletions({ events }: ConsumerDefinition): boolean {
  return events.some(({ cascades = [], handler }) => cascades.length > 0 || handler !== undefined);
}

/** By entity: the first version of each incarnation, which follows that of a `deleted` event in the stream. */
function readFirstVersions(
  { world, poison }: Outcome,
  { consumer, owner }: Copy,
): ReadonlyMap<string, number[]> {
  const deletions = consumer.events.flatMap(({ event }) => (event.change === "delete" ? [event.action] : []));
  const firstVersions = new Map<string, number[]>();
  if (isForeign(owner)) return firstVersions;
  const { stream } = owner.service.definition;
  if (stream === undefined) return firstVersions;
  for (const message of world.server.log(stream.name)) {
    const { subject } = message;
    const isDeletion = deletions.some((action) => subject.endsWith(`.${action}`));
    if (!isDeletion || !subject.startsWith(`${consumer.entity}.`) || poison.includes(subject)) continue;
    const { entity_id: id = "", version = 0 } = metadataOf(message);
    firstVersions.set(id, [...(firstVersions.get(id) ?? []), version + 1]);
  }
  return firstVersions;
}
