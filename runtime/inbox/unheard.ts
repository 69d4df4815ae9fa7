import type { Tx } from "../definition/hook-definition.js";
import { arrayLiteral } from "../values/array-literal.js";
import type { ConsumerModel, EventModel } from "./consumer-model.js";
import { hookedEvent } from "./implied-events.js";
import { type EntityState, isOnlyReferredTo } from "./order.js";
import type { Incoming } from "./parse.js";
import type { BatchPlan } from "./plan-batch.js";

/*
 * Versions of which hooks have not heard, though nothing of them is news to the copy: a snapshot overtook their events and
 * could not make them from a row, or a later event was applied first. Where such an event comes after all, its hook runs, once,
 * and nothing else of it is applied. A creation among them is told by the next snapshot that can make its event, if that comes first.
 */

/** Events of one entity: later than `after`, up to `version`. */
export interface Unheard {
  readonly id: string;
  readonly after: number;
  readonly version: number;
  /** Actions of the events among them whose hooks have not heard. */
  readonly actions: readonly string[];
}

/** Nothing is overtaken where there are no snapshots, and nobody has to hear of it where there are no hooks. */
export function mayBeUnheard({ definition, events }: ConsumerModel): boolean {
  return definition.sync !== undefined && [...events.values()].some(({ handler }) => handler !== undefined);
}

export function hookedActions(
  { events }: ConsumerModel,
  isMeant: (event: EventModel) => boolean,
): readonly string[] {
  return [...events.values()]
    .filter((event) => event.handler !== undefined && isMeant(event))
    .map(({ definition }) => definition.action);
}

export function covers({ after, version }: Unheard, one: number): boolean {
  return after < one && one <= version;
}

const READ = `SELECT entity_id AS id, after_version::double precision AS after, version::double precision, actions
FROM mesh.unheard WHERE entity = $1 AND entity_id = ANY ($2::text[]) ORDER BY version`;

/** Call it with the entities' states locked. */
export async function readUnheard(
  tx: Tx,
  scope: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, readonly Unheard[]>> {
  const { rows } = await tx.query<Unheard>(READ, [scope, arrayLiteral(ids)]);
  const byEntity = new Map<string, Unheard[]>();
  for (const row of rows) {
    const former = byEntity.get(row.id);
    if (former === undefined) byEntity.set(row.id, [row]);
    else former.push(row);
  }
  return byEntity;
}

const FORGET = "DELETE FROM mesh.unheard WHERE entity = $1 AND entity_id = ANY ($2::text[])";
const NOTE = `INSERT INTO mesh.unheard (entity, entity_id, after_version, version, actions)
SELECT $1, id, after, version, pg_catalog.string_to_array(actions, ' ')
FROM unnest($2::text[], $3::bigint[], $4::bigint[], $5::text[]) AS given (id, after, version, actions)`;

/** Writes all that is unheard of these entities, in place of what was. */
export async function rewriteUnheard(
  tx: Tx,
  scope: string,
  byEntity: ReadonlyMap<string, readonly Unheard[]>,
): Promise<void> {
  if (byEntity.size === 0) return;
  await tx.query(FORGET, [scope, arrayLiteral([...byEntity.keys()])]);
  const notes = [...byEntity.values()].flat();
  if (notes.length === 0) return;
  await tx.query(NOTE, [
    scope,
    arrayLiteral(notes.map(({ id }) => id)),
    arrayLiteral(notes.map(({ after }) => String(after))),
    arrayLiteral(notes.map(({ version }) => String(version))),
    arrayLiteral(notes.map(({ actions }) => actions.join(" "))),
  ]);
}

export interface Settled {
  /** Overtaken events whose hooks have to run. */
  readonly late: readonly Incoming[];
  /** Deletions of which a snapshot has told the hook. */
  readonly told: ReadonlySet<Incoming>;
}

const NOTHING: Settled = { late: [], told: new Set() };

/**
 * In the transaction of the events, before they are applied. Notes creations that nobody told of: an entity's first event is a
 * later one. Forgets what ends with an incarnation.
 */
export async function settleUnheard(
  tx: Tx,
  model: ConsumerModel,
  plan: Pick<BatchPlan, "afterGap" | "overtaken" | "ended" | "deletedBefore">,
  known: ReadonlyMap<string, EntityState>,
): Promise<Settled> {
  if (!mayBeUnheard(model)) return NOTHING;
  const late = plan.overtaken.filter(({ version }) => version !== null);
  const first = unheardCreations(model, plan, known);
  const ids = new Set([...late.map(({ id }) => id), ...plan.ended, ...first.keys()]);
  if (ids.size === 0) return NOTHING;
  const unheard = new Map(await readUnheard(tx, model.scope, [...ids]));
  const told = plan.deletedBefore.filter(
    ({ id, version }) => unheard.get(id)?.some((note) => covers(note, version ?? 0)) !== true,
  );
  const changed = new Map<string, readonly Unheard[]>();
  const due = late.filter((event) => {
    const { id, model: of } = event;
    const version = event.version ?? 0;
    const notes = unheard.get(id) ?? [];
    const note = notes.find((each) => covers(each, version));
    if (note === undefined) return false;
    const left = notes.flatMap((each) => (each === note ? without(note, event) : [each]));
    unheard.set(id, left);
    changed.set(id, left);
    return of.handler !== undefined && note.actions.includes(of.definition.action);
  });
  for (const id of plan.ended) if (unheard.has(id)) changed.set(id, []);
  for (const [id, note] of first) changed.set(id, [note]);
  await rewriteUnheard(tx, model.scope, changed);
  return { late: due, told: new Set(told) };
}

/** A deletion ends what could be heard of its incarnation. */
function without(note: Unheard, { version, model: { change, definition } }: Incoming): readonly Unheard[] {
  if (version === null) return [note];
  const before = { ...note, version: version - 1 };
  const beyond = { ...note, after: version };
  const parts =
    change === "delete"
      ? [{ ...beyond, actions: note.actions.filter((action) => action !== definition.action) }]
      : [before, beyond];
  return parts.filter(({ after, version: last, actions }) => after < last && actions.length > 0);
}

/** An update has no values for the creation hook. */
function unheardCreations(
  model: ConsumerModel,
  { afterGap }: Pick<BatchPlan, "afterGap">,
  known: ReadonlyMap<string, EntityState>,
): ReadonlyMap<string, Unheard> {
  const first = new Map<string, Unheard>();
  if (hookedEvent(model, "create") === undefined) return first;
  const actions = hookedActions(model, ({ change }) => change === "create");
  for (const { id, change, version } of afterGap) {
    const state = known.get(id);
    const unknown = state === undefined || state.deleted || isOnlyReferredTo(state);
    if (!unknown || version === null || (change !== "update" && change !== "none")) continue;
    const before = Math.min(version - 1, first.get(id)?.version ?? version);
    first.set(id, { id, after: Math.min(state?.version ?? 0, before - 1), version: before, actions });
  }
  return first;
}

/**
 * Entities whose deletions a snapshot found, and whose events come up to a version each. What was unheard of them means nothing
 * any more but for the deletions, where `lost` does not have their events. `known`: the states before.
 */
export async function noteUnheardDeletions(
  tx: Tx,
  model: ConsumerModel,
  found: {
    readonly known: ReadonlyMap<string, EntityState>;
    readonly lost: readonly Incoming[];
    readonly upTo: ReadonlyMap<string, number>;
  },
): Promise<void> {
  if (!mayBeUnheard(model)) return;
  const { known, lost, upTo } = found;
  const actions = hookedActions(model, ({ change }) => change === "delete");
  const told = new Set(lost.map(({ id }) => id));
  const unheard = [...upTo].map(([id, version]): readonly [string, readonly Unheard[]] => {
    const after = known.get(id)?.version ?? null;
    const isLeft = actions.length > 0 && !told.has(id) && after !== null && after < version;
    return [id, isLeft ? [{ id, after, version, actions }] : []];
  });
  await rewriteUnheard(tx, model.scope, new Map(unheard));
}
