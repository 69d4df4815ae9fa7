import type { PoolClient } from "pg";
import { arrayLiteral } from "../database/columns.js";
import { callHandlers, lockStates, readStates, removeEntities, writeStates } from "../inbox/apply.js";
import { type ConsumerModel, cascadesOf } from "../inbox/consumer-model.js";
import { type EntityState, endsUnheard } from "../inbox/order.js";
import { lostDeletions } from "./implied-hooks.js";
import { inParts, type Outcome, type Run } from "./snapshot-run.js";

/*
 * An id that was deleted and created again is another entity. A snapshot that tells of the new one before the
 * deletion of the former one came makes that stale, and its cascades would never run: so they run here.
 */

export interface ToldLife {
  readonly id: string;
  /** Version at which it began; null where that is not known, or it is the first. */
  readonly born: number | null;
}

/** A life that began after what may be known of its entity. */
interface Later extends ToldLife {
  readonly born: number;
}

/** Those that cost anything. */
export function laterLives<T extends ToldLife>(told: readonly T[]): readonly (T & Later)[] {
  return told.filter((life): life is T & Later => life.born !== null);
}

/** In order, like `LOCK_STATES`. */
const KNOW_ALL = `INSERT INTO mesh.applied (entity, entity_id)
SELECT $1, id COLLATE "C" FROM unnest($2::text[]) AS id GROUP BY 2 ORDER BY 2 ON CONFLICT DO NOTHING`;

/**
 * Locks the states of these entities, in the order in which everybody does. Those never heard of get one first: an event of
 * theirs that another replica applies meanwhile has to wait.
 */
export async function lockAll(
  client: PoolClient,
  entity: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, EntityState>> {
  await client.query(KNOW_ALL, [entity, arrayLiteral(ids)]);
  return await lockStates(client, entity, ids);
}

/**
 * Ends, within the caller's transaction and as a `deleted` event would, what is known here of lives that went
 * before these. A tombstone stays, older than the row that is merged next. Gives their number; undefined where none is in
 * doubt, and nothing was locked.
 */
export async function endFormerLives(run: Run, told: readonly ToldLife[]): Promise<number | undefined> {
  const { client, model } = run;
  const { entity } = model.definition;
  const later = laterLives(told);
  if (later.length === 0) return undefined;
  const known = await readStates(
    client,
    entity,
    later.map(({ id }) => id),
  );
  // A version of the present life, or a later one, is known for good.
  const inDoubt = later.filter(({ id, born }) => (known.get(id)?.version ?? 0) < born);
  if (inDoubt.length === 0) return undefined;
  // All that are merged next, not these alone: locked in two goes, they would be locked out of order.
  await lockAll(
    client,
    entity,
    told.map(({ id }) => id),
  );
  return await endLives(run, inDoubt, ({ born }, { seq }) => ({
    version: born - 1,
    versioned: true,
    deleted: true,
    seq,
  }));
}

const NOTED_LIVES = `SELECT place::double precision, entity_id AS id, born::double precision
FROM "$later" WHERE place > $1 ORDER BY place LIMIT 500`;

/**
 * The same of the lives in `"$later"`, for a consumer without a cache. Events up to the noted sequence were let
 * through before: what is still unheard of then has been lost.
 */
export async function endNotedLives(run: Run): Promise<Outcome> {
  const total = { done: 0, failed: 0 };
  // Every event of the new life is still news.
  const reborn = ({ born }: Later) => ({
    version: born - 1,
    versioned: true,
    deleted: false,
    seq: null,
  });
  const work = async (part: readonly Later[]) => {
    await run.client.query("BEGIN");
    return await endLives(run, part, reborn);
  };
  for (let last = 0; ; ) {
    const { rows } = await run.client.query<Later & { readonly place: number }>(NOTED_LIVES, [last]);
    if (rows.length === 0) break;
    last = rows.at(-1)?.place ?? last;
    const { done, failed } = await inParts(run, { items: rows, work });
    total.done += done;
    total.failed += failed;
  }
  wakeFor(run, total.done);
  return total;
}

/** Once they are committed: says what was inferred, and that rows may wait for the cascade worker. */
export function wakeFor({ model, logger, onTasks }: Run, ended: number): void {
  if (ended === 0) return;
  logger.info(
    { entities: ended },
    "the snapshot tells of entities that were deleted and created again: what hung on the former ones goes",
  );
  if (hasTasks(model)) onTasks();
}

export function hasTasks(model: ConsumerModel): boolean {
  return cascadesOf(model).some((rule) => rule.before !== undefined);
}

async function endLives(
  run: Run,
  later: readonly Later[],
  toState: (life: Later, known: EntityState) => EntityState,
): Promise<number> {
  const { client, model, logger, seq, apply } = run;
  const { entity } = model.definition;
  const known = await lockStates(
    client,
    entity,
    later.map(({ id }) => id),
  );
  const states = new Map<string, EntityState>();
  for (const life of later) {
    const state = known.get(life.id);
    if (state !== undefined && endsUnheard(state, life.born)) states.set(life.id, toState(life, state));
  }
  if (states.size === 0) return 0;
  const ids = [...states.keys()];
  const lost = await lostDeletions(client, model, { places: ids.map((id) => ({ id, seq })), logger });
  await writeStates(client, entity, states, known);
  await removeEntities(client, model, ids);
  await callHandlers(client, apply, lost);
  return ids.length;
}
