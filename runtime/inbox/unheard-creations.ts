import type { Tx } from "../definition/hook-definition.js";
import { arrayLiteral } from "../values/array-literal.js";
import type { ConsumerModel } from "./consumer-model.js";
import { hookedEvent } from "./implied-events.js";
import { type EntityState, isOnlyReferredTo } from "./order.js";
import type { BatchPlan } from "./plan-batch.js";

/*
 * Creations that nobody told of here: an entity's first event is a later one. An update has no values for the creation hook, so
 * the entity is noted, and the next snapshot that has it calls the hook.
 */

const NOTE = `INSERT INTO mesh.unheard_creation (entity, entity_id, version)
SELECT $1, id, pg_catalog.min(version) FROM unnest($2::text[], $3::bigint[]) AS heard (id, version) GROUP BY id
ON CONFLICT (entity, entity_id) DO UPDATE SET version = excluded.version`;

/** In the transaction of the events. `known`: the states before them. */
export async function noteUnheardCreations(
  tx: Tx,
  model: ConsumerModel,
  { afterGap }: Pick<BatchPlan, "afterGap">,
  known: ReadonlyMap<string, EntityState>,
): Promise<void> {
  if (model.definition.sync === undefined || hookedEvent(model, "create") === undefined) return;
  const first = afterGap.filter(({ id, change }) => {
    const state = known.get(id);
    const unknown = state === undefined || state.deleted || isOnlyReferredTo(state);
    return unknown && (change === "update" || change === "none");
  });
  if (first.length === 0) return;
  const [ids, versions] = [first.map(({ id }) => id), first.map(({ version }) => String(version))];
  await tx.query(NOTE, [model.scope, arrayLiteral(ids), arrayLiteral(versions)]);
}

const TAKE = `DELETE FROM mesh.unheard_creation WHERE entity = $1 AND entity_id = ANY ($2::text[])
RETURNING entity_id AS id, version::double precision`;

/** In the transaction of the hooks: by entity, the version of the event that came first. What was noted is answered. */
export async function takeUnheardCreations(
  tx: Tx,
  scope: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await tx.query<{ id: string; version: number }>(TAKE, [scope, arrayLiteral(ids)]);
  return new Map(rows.map(({ id, version }) => [id, version]));
}
