import { lockStates, writeStates } from "../inbox/entity-states.js";
import { type EntityState, isOnlyReferredTo, missedDeletion } from "../inbox/order.js";
import { arrayLiteral } from "../values/array-literal.js";
import { type Incarnation, laterIncarnations } from "./incarnations.js";
import { firstVersionOf, unfitVersion, versionOf } from "./snapshot-rows.js";
import { inParts, type Outcome, type Run, setAsideRows } from "./snapshot-run.js";
import { noteAhead } from "./source-trust.js";
import { idOfFields, type Judged, readElement, textOf, type UnfitRow } from "./unfit-rows.js";

/*
 * A snapshot for a consumer that keeps no cache: which entities exist, and no more. There is no row to bring up to date, so
 * the snapshot never makes an event stale: one that is still on its way must reach its hook.
 */

export interface Existing extends Incarnation {
  /** Among the elements of the source, from 1. */
  readonly ordinal: number;
  /** Null from an owner that keeps none. */
  readonly version: number | null;
}

/** `before` counts the elements of earlier chunks. */
export function toExisting(
  key: string | readonly string[],
  elements: readonly unknown[],
  before: number,
): Judged<Existing> {
  const fit: Existing[] = [];
  const unfit: UnfitRow[] = [];
  elements.forEach((element, index) => {
    const { fields = {}, reason } = readElement(element);
    const ordinal = before + index + 1;
    const id = idOfFields(key, fields);
    const version = versionOf(fields);
    const why =
      reason ??
      unfitVersion(fields) ??
      (id === null ? `it has no ${[key].flat().join(", ")} to be known by` : undefined);
    if (why !== undefined || id === null)
      unfit.push({ ordinal, id, reason: why ?? "", element: textOf(element) });
    else fit.push({ id, version, firstVersion: firstVersionOf(fields, version), ordinal });
  });
  return { fit, unfit };
}

/** Entities that are unknown here, or known as deleted or as an earlier incarnation: few, except in the first snapshot. */
const DOUBTFUL = `SELECT given.id FROM unnest($2::text[], $3::bigint[]) AS given (id, first_version)
LEFT JOIN LATERAL (
  SELECT * FROM mesh.applied WHERE entity = $1 AND entity_id = given.id OFFSET 0) AS state ON true
WHERE state.entity_id IS NULL OR state.deleted OR (state.version IS NULL AND state.stream_seq IS NULL)
  OR (state.version < given.first_version AND state.versioned AND state.stream_seq IS NOT NULL)`;

/**
 * Notes all ids in `"$snapshot"`, and in `"$incarnation"` those that were deleted and created again unnoticed. Records as alive
 * the entities that were not known to be.
 */
export async function noteExisting(run: Run, { fit, unfit }: Judged<Existing>): Promise<Outcome> {
  await setAsideRows(run, unfit);
  if (fit.length === 0) return { done: 0, failed: 0 };
  return await inParts(run, { items: fit, work: (part) => notePart(run, part) });
}

async function notePart(run: Run, part: readonly Existing[]): Promise<number> {
  const { client, model, seq } = run;
  const ids = arrayLiteral(part.map(({ id }) => id));
  await client.query("BEGIN");
  await client.query('INSERT INTO "$snapshot" (entity_id) SELECT pg_catalog.unnest($1::text[])', [ids]);
  await noteAhead(run, part);
  const { rows } = await client.query<{ id: string }>(DOUBTFUL, [
    model.scope,
    ids,
    arrayLiteral(part.map(({ firstVersion }) => firstVersion)),
  ]);
  if (rows.length === 0) return 0;
  const doubtful = new Set(rows.map(({ id }) => id));
  const known = await lockStates(client, model.scope, [...doubtful]);
  const later = laterIncarnations(part).filter(({ id, firstVersion }) => {
    const state = doubtful.has(id) ? known.get(id) : undefined;
    return state !== undefined && missedDeletion(state, firstVersion);
  });
  if (later.length > 0)
    await client.query(
      'INSERT INTO "$incarnation" (entity_id, first_version) SELECT * FROM unnest($1::text[], $2::bigint[])',
      [arrayLiteral(later.map(({ id }) => id)), arrayLiteral(later.map(({ firstVersion }) => firstVersion))],
    );
  const states = new Map<string, EntityState>();
  for (const given of part) {
    const state = doubtful.has(given.id)
      ? stateOnceFound(known.get(given.id), given.version, seq)
      : undefined;
    if (state !== undefined) states.set(given.id, state);
  }
  if (states.size > 0) await writeStates(client, model.scope, states, { known });
  return states.size;
}

/** The state of an entity, now that the source has it; undefined where that is no news. */
export function stateOnceFound(
  state: EntityState | undefined,
  version: number | null,
  seq: number,
): EntityState | undefined {
  const alive = { versioned: true, deleted: false, seq: null };
  // Version 0: every event of the entity is still news.
  if (state === undefined || isOnlyReferredTo(state)) return { ...alive, version: 0 };
  if (!state.deleted || !outlives(state, version, seq)) return undefined;
  // The deletion that a snapshot inferred has a version of its own, and its event may still come.
  return { ...alive, version: (state.version ?? 0) + (state.versioned ? 0 : 1) };
}

/** As with a cache: by version where the tombstone has one, else by what was applied when the source was read. */
function outlives(tombstone: EntityState, version: number | null, seq: number): boolean {
  if (version !== null && tombstone.version !== null) {
    if (version < tombstone.version) return false;
    if (tombstone.versioned) return version > tombstone.version;
  }
  return (tombstone.seq ?? 0) <= seq;
}
