import type { Tx } from "../definition/hook-definition.js";
import { arrayLiteral } from "../values/array-literal.js";
import type { Change } from "../vocabulary.js";
import type { ConsumerModel } from "./consumer-model.js";
import { hookedEvent } from "./implied-events.js";
import type { Incoming } from "./parse.js";
import type { BatchPlan, Unversioned } from "./plan-batch.js";
import type { Settled } from "./unheard.js";

/*
 * Owners without versions. A snapshot tells hooks of creations and deletions whose events may come later, and nothing in an event says
 * that it is the one. But an entity is created and deleted in turns: the next event of a change that was told is its event. And of two
 * replicas one may apply an update before the other its creation, which is stale then: its hook runs all the same, once.
 */

/** A row of `mesh.told`. */
export interface Told {
  /** Told by snapshots, in this order; the events of these may still come. */
  readonly changes: readonly Change[];
  /** No hook has heard of the creation, though the entity is known as alive. */
  readonly creationUnheard: boolean;
}

const NOTHING: Told = { changes: [], creationUnheard: false };

const READ = `SELECT entity_id AS id, changes, creation_unheard AS "creationUnheard" FROM mesh.told
WHERE entity = $1 AND entity_id = ANY ($2::text[])`;
const FORGET = "DELETE FROM mesh.told WHERE entity = $1 AND entity_id = ANY ($2::text[])";
const NOTE = `INSERT INTO mesh.told (entity, entity_id, changes, creation_unheard)
SELECT $1, id, pg_catalog.string_to_array(changes, ' '), unheard FROM unnest($2::text[], $3::text[], $4::boolean[]) AS given (id, changes, unheard)`;

/** Call it with the entities' states locked. */
export async function readTold(
  tx: Tx,
  scope: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Told>> {
  const { rows } = await tx.query<Told & { readonly id: string }>(READ, [scope, arrayLiteral(ids)]);
  return new Map(rows.map(({ id, ...told }) => [id, told]));
}

/** Writes what is told of these entities, in place of what was. */
export async function rewriteTold(tx: Tx, scope: string, byEntity: ReadonlyMap<string, Told>): Promise<void> {
  if (byEntity.size === 0) return;
  await tx.query(FORGET, [scope, arrayLiteral([...byEntity.keys()])]);
  const notes = [...byEntity].filter(([, told]) => told.changes.length > 0 || told.creationUnheard);
  if (notes.length === 0) return;
  await tx.query(NOTE, [
    scope,
    arrayLiteral(notes.map(([id]) => id)),
    arrayLiteral(notes.map(([, { changes }]) => changes.join(" "))),
    arrayLiteral(notes.map(([, { creationUnheard }]) => creationUnheard)),
  ]);
}

/** What a snapshot adds. `isTold`: it called the hook; else it could not make the event. */
export function toldBySnapshot(
  { changes }: Told = NOTHING,
  { change, isTold }: { readonly change: "create" | "delete"; readonly isTold: boolean },
): Told {
  return {
    changes: isTold ? [...changes, change] : changes,
    creationUnheard: change === "create" && !isTold,
  };
}

/** As `settleUnheard`, of events without versions. */
export async function settleTold(
  tx: Tx,
  model: ConsumerModel,
  { unversioned }: Pick<BatchPlan, "unversioned">,
): Promise<Settled> {
  const hasCreations = hookedEvent(model, "create") !== undefined;
  const relevant = unversioned.filter((one) => isRelevant(one, hasCreations));
  const ids = [...new Set(relevant.map(({ event }) => event.id))];
  const late: Incoming[] = [];
  const told = new Set<Incoming>();
  if (ids.length === 0) return { late, told };
  const byEntity = new Map(await readTold(tx, model.scope, ids));
  const changed = new Map<string, Told>();
  for (const { event, place } of relevant) {
    const { id, change } = event;
    const before = byEntity.get(id) ?? NOTHING;
    if (place === "overtaken") {
      if (!before.creationUnheard) continue;
      late.push(event);
    }
    const after = heard(before, { change, place });
    const isTold = place === "known" && before.changes.includes(change);
    if (isTold) told.add(event);
    byEntity.set(id, after);
    changed.set(id, after);
  }
  await rewriteTold(tx, model.scope, changed);
  return { late, told };
}

function isRelevant({ event: { change, model }, place }: Unversioned, hasCreations: boolean): boolean {
  switch (place) {
    case "first":
      return hasCreations && (change === "update" || change === "none");
    case "known":
      return change === "create" || change === "delete";
    case "overtaken":
      return change === "create" && model.handler !== undefined;
    default:
      return place satisfies never;
  }
}

function heard(
  { changes }: Told,
  { change, place }: { readonly change: Change; readonly place: Unversioned["place"] },
): Told {
  if (place === "first") return { changes: [], creationUnheard: true };
  if (place === "overtaken") return { changes, creationUnheard: false };
  const at = changes.indexOf(change);
  return { changes: at < 0 ? [] : changes.slice(at + 1), creationUnheard: false };
}
