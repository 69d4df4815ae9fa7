import type { PoolClient } from "pg";
import { type ConsumerModel, cascadesOf } from "../inbox/consumer-model.js";
import { lockStates, readStates, writeStates } from "../inbox/entity-states.js";
import { callHandlers } from "../inbox/handlers.js";
import { lostDeletions } from "../inbox/implied-events.js";
import { type EntityState, missedDeletion } from "../inbox/order.js";
import { noteUnheardDeletions } from "../inbox/unheard.js";
import { removeEntities } from "../inbox/write-rows.js";
import { arrayLiteral } from "../values/array-literal.js";
import { inParts, type Outcome, type Run } from "./snapshot-run.js";

/*
 * Incarnations. An id that was deleted and created again is another entity. A snapshot that has the new incarnation before
 * the deletion of the former one arrived makes that deletion stale, so its cascades would never run: they run here.
 */

export interface Incarnation {
  readonly id: string;
  /** Version at which the incarnation began; null where that is not known, or it is the first incarnation. */
  readonly firstVersion: number | null;
}

/** An incarnation that is not the first of its entity. */
interface LaterIncarnation extends Incarnation {
  readonly firstVersion: number;
}

/** Only these may have a former incarnation here; most entities have none. */
export function laterIncarnations<T extends Incarnation>(
  all: readonly T[],
): readonly (T & LaterIncarnation)[] {
  return all.filter((one): one is T & LaterIncarnation => one.firstVersion !== null);
}

/** In the order of `lockStates`. */
const ADD_STATES = `INSERT INTO mesh.applied (entity, entity_id)
SELECT $1, id COLLATE "C" FROM pg_catalog.unnest($2::text[]) AS id GROUP BY 2 ORDER BY 2 ON CONFLICT DO NOTHING`;

/**
 * Locks the states of these entities, in the order in which everybody locks them. Unknown entities get a state first, so
 * that another replica which applies an event of theirs has to wait.
 */
export async function lockAll(
  client: PoolClient,
  entity: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, EntityState>> {
  await client.query(ADD_STATES, [entity, arrayLiteral(ids)]);
  return await lockStates(client, entity, ids);
}

/**
 * Within the caller's transaction, applies the missed deletions of former incarnations, as their `deleted` events would. Leaves
 * tombstones that are older than the rows that are merged next. Gives the number of incarnations ended; undefined where
 * none was in doubt, and nothing was locked.
 */
export async function endFormerIncarnations(
  run: Run,
  all: readonly Incarnation[],
): Promise<number | undefined> {
  const { client, model } = run;
  const later = laterIncarnations(all);
  if (later.length === 0) return undefined;
  const known = await readStates(
    client,
    model.scope,
    later.map(({ id }) => id),
  );
  // Where a version of the present incarnation is known, its predecessor's deletion was not missed.
  const inDoubt = later.filter(({ id, firstVersion }) => (known.get(id)?.version ?? 0) < firstVersion);
  if (inDoubt.length === 0) return undefined;
  // Lock all that are merged next, not these alone: locked in two steps, they would be locked out of order.
  await lockAll(
    client,
    model.scope,
    all.map(({ id }) => id),
  );
  return await endIncarnations(run, inDoubt, ({ firstVersion }, { seq }) => ({
    version: firstVersion - 1,
    versioned: true,
    deleted: true,
    seq,
  }));
}

const NOTED_INCARNATIONS = `SELECT ordinal::double precision, entity_id AS id, first_version::double precision AS "firstVersion"
FROM "$incarnation" WHERE ordinal > $1 ORDER BY ordinal LIMIT 500`;

/**
 * The same for the incarnations in `"$incarnation"`, for a consumer without a cache. Call it once every event up to the noted
 * sequence is settled: a deletion that has not arrived by then was lost.
 */
export async function endNotedIncarnations(run: Run): Promise<Outcome> {
  const total = { done: 0, failed: 0 };
  // Every event of the new incarnation is still news.
  const foundAlive = ({ firstVersion }: LaterIncarnation) => ({
    version: firstVersion - 1,
    versioned: true,
    deleted: false,
    seq: null,
  });
  const work = async (part: readonly LaterIncarnation[]) => {
    await run.client.query("BEGIN");
    return await endIncarnations(run, part, foundAlive);
  };
  for (let last = 0; ; ) {
    const { rows } = await run.client.query<LaterIncarnation & { readonly ordinal: number }>(
      NOTED_INCARNATIONS,
      [last],
    );
    if (rows.length === 0) break;
    last = rows.at(-1)?.ordinal ?? last;
    const { done, failed } = await inParts(run, { items: rows, work });
    total.done += done;
    total.failed += failed;
  }
  announceEnded(run, total.done);
  return total;
}

/** Call it after the commit: logs what was inferred, and wakes the cascade worker. */
export function announceEnded({ model, logger, onTasks }: Run, ended: number): void {
  if (ended === 0) return;
  logger.info(
    { entities: ended },
    "entities were deleted and created again, which a snapshot shows: rows that refer to the former ones are removed",
  );
  if (hasTasks(model)) onTasks();
}

export function hasTasks(model: ConsumerModel): boolean {
  return cascadesOf(model).some((rule) => rule.before !== undefined);
}

async function endIncarnations(
  run: Run,
  later: readonly LaterIncarnation[],
  toState: (later: LaterIncarnation, known: EntityState) => EntityState,
): Promise<number> {
  const { client, model, logger, seq, handlers } = run;
  const known = await lockStates(
    client,
    model.scope,
    later.map(({ id }) => id),
  );
  const states = new Map<string, EntityState>();
  for (const one of later) {
    const state = known.get(one.id);
    if (state !== undefined && missedDeletion(state, one.firstVersion))
      states.set(one.id, toState(one, state));
  }
  if (states.size === 0) return 0;
  const ids = [...states.keys()];
  const lost = await lostDeletions(client, model, { deletions: ids.map((id) => ({ id, seq })), logger });
  const upTo = new Map(
    later.flatMap(({ id, firstVersion }) => (states.has(id) ? [[id, firstVersion - 1]] : [])),
  );
  await noteUnheardDeletions(client, model, { known, lost, upTo });
  await writeStates(client, model.scope, states, { known });
  await removeEntities(client, model, ids);
  await callHandlers(client, handlers, lost);
  return ids.length;
}
