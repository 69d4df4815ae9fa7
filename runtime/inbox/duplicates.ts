import type { PoolClient } from "pg";
import { arrayLiteral } from "../values/array-literal.js";
import type { ConsumerModel } from "./consumer-model.js";
import type { Incoming } from "./parse.js";

/*
 * Where a redelivered event without a version is recognised: by its id, in `mesh.seen`, here or by the fast path. One that carries a
 * version is recognised by the order guard (`isFresh`).
 */

/** Gives the ids that were never seen before. */
const REMEMBER_EVENTS = `INSERT INTO mesh.seen (event_id) SELECT pg_catalog.unnest($1::text[])
ON CONFLICT DO NOTHING RETURNING event_id`;

/**
 * Drops events without a version that were applied before, under whatever sequence, or stand twice in the batch. Here a
 * redelivered message without a version is recognised: its `event_id` and subject are in `mesh.seen`, committed with its
 * effects.
 */
export async function dropDuplicates(
  client: PoolClient,
  model: ConsumerModel,
  events: readonly Incoming[],
): Promise<readonly Incoming[]> {
  const unversioned = new Map<string, Incoming>();
  for (const event of events) {
    if (event.version !== null) continue;
    const id = identityOf(model, event);
    if (!unversioned.has(id)) unversioned.set(id, event);
  }
  if (unversioned.size === 0) return events;
  const { rows } = await client.query<{ event_id: string }>(REMEMBER_EVENTS, [
    arrayLiteral([...unversioned.keys()]),
  ]);
  const unseen = new Set(rows.map((row) => row.event_id));
  return events.filter((event) => {
    if (event.version !== null) return true;
    const id = identityOf(model, event);
    return unseen.has(id) && unversioned.get(id) === event;
  });
}

/**
 * With the subject, since a publisher that we did not generate may send one `event_id` for all, such as a placeholder; and
 * with a consumer's name: what another consumer has applied is no duplicate.
 */
export function identityOf({ definition: { name } }: ConsumerModel, { event, subject }: Incoming): string {
  return [event.metadata.event_id, subject, ...(name === undefined ? [] : [name])].join(" ");
}
