import { idSql } from "../database/key.js";
import { relationOf } from "../database/relation.js";
import type { ConsumerModel } from "../inbox/consumer-model.js";
import { lockStates, writeStates } from "../inbox/entity-states.js";
import { callHandlers } from "../inbox/handlers.js";
import { hookedEvent, lostDeletions } from "../inbox/implied-events.js";
import type { EntityState } from "../inbox/order.js";
import type { Incoming } from "../inbox/parse.js";
import { readTold, rewriteTold, toldBySnapshot } from "../inbox/told.js";
import { noteUnheardDeletions } from "../inbox/unheard.js";
import { removeEntities } from "../inbox/write-rows.js";
import { pause } from "../pause.js";
import { HIGHEST_VERSION } from "../values/version.js";
import { hasTasks } from "./incarnations.js";
import { inParts, type Outcome, type Run } from "./snapshot-run.js";
import { SnapshotFailed } from "./snapshot-source.js";
import { nameOf, REPEATED, type SetAside } from "./unfit-rows.js";

/*
 * Once a source was read whole: removes what it lacks, as `deleted` events would.
 */

const REMOVAL_ROWS = 500;

/**
 * Throws `SnapshotFailed` for a source that is more likely broken than empty: none of its rows can be taken, or most name no
 * entity. Then no deletion is inferred.
 */
export function refuseDoubtful(setAside: SetAside, rows: number): void {
  const none = rows > 0 && setAside.count() >= rows;
  if (!none && setAside.nameless() * 2 <= rows) return;
  const what = none ? "not one of its rows can be taken" : "most of its rows name no entity";
  const first = setAside
    .kept()
    .slice(0, 3)
    .map((row) => `${nameOf(row)}: ${row.reason}`);
  throw new SnapshotFailed(`nothing is taken for deleted, for ${what}: ${first.join("; ")}`);
}

/** Removes entities that are known here, last changed at or before the noted sequence, and lacking: their deletion was missed. */
export async function removeLacking(run: Run): Promise<Outcome> {
  const { client, model } = run;
  const found = await findLacking(run);
  const total = { done: 0, failed: 0 };
  for (let from = 0; from < found; from += REMOVAL_ROWS) {
    const { rows } = await client.query<{ id: string }>(
      'SELECT id FROM "$lacking" WHERE ordinal > $1 AND ordinal <= $2',
      [from, from + REMOVAL_ROWS],
    );
    const work = (part: readonly { readonly id: string }[]) =>
      removeIds(
        run,
        part.map((row) => row.id),
      );
    const { done, failed } = await inParts(run, { items: rows, work });
    total.done += done;
    total.failed += failed;
  }
  if (total.done > 0 && hasTasks(model)) run.onTasks();
  return total;
}

/**
 * Sets aside elements that repeat the key of an element in another chunk (repetitions within a chunk were found before). The
 * later one was merged over the other, unless its version is older.
 */
export async function noteRepeated({ client, setAside }: Run): Promise<void> {
  // Room for a million ids, as in `findLacking`.
  await client.query("BEGIN; SET LOCAL work_mem = '64MB'");
  const { rows } = await client.query<{
    id: string;
    total: number;
  }>(`SELECT entity_id AS id, (count(*) OVER ())::integer AS total
FROM "$snapshot" WHERE NOT unfit GROUP BY entity_id HAVING count(*) > 1 LIMIT 100`);
  await client.query("COMMIT");
  setAside.add(rows.map(({ id }) => ({ ordinal: null, id, reason: REPEATED, element: null })));
  setAside.count((rows[0]?.total ?? 0) - rows.length);
}

const SETTLED_WITHIN_MS = 10 * 60_000;
const SETTLED_POLL_MS = 250;

/**
 * Waits, at most 10 minutes, until every event up to the noted sequence is settled. Without a cache an inferred deletion has
 * no payload for its hook, and would make the `deleted` event stale that has it: events on their way go first.
 */
export async function untilSettled({ model, settledUpTo, seq, signal }: Run): Promise<void> {
  if (model.cache !== undefined || hookedEvent(model, "delete") === undefined) return;
  const deadline = Date.now() + SETTLED_WITHIN_MS;
  while (settledUpTo !== undefined && !(await settledUpTo(seq))) {
    signal.throwIfAborted();
    if (Date.now() > deadline)
      throw new SnapshotFailed("events from before it wait: no deletion is inferred");
    await pause(SETTLED_POLL_MS, signal);
  }
}

/** Ids that are known here: of states that are alive, and of the cache's rows, whatever is known of their states. */
function knownIds({ cache }: ConsumerModel, entity: string, seq: number): string {
  const states = `SELECT entity_id AS id FROM mesh.applied
  WHERE entity = ${entity} AND NOT deleted AND coalesce(stream_seq, 0) <= ${seq} AND (version IS NOT NULL OR stream_seq IS NOT NULL)`;
  if (cache === undefined) return states;
  return `${states} UNION ALL SELECT ${idSql(cache.key, '"$row"')} COLLATE "C" FROM ${relationOf(cache.table)} AS "$row"`;
}

/**
 * Fills `"$lacking"` and gives its size. An entity that rows here only refer to is left out, however long the source lacks
 * it: a row may be written ahead of what it refers to, and removing it would be worse than leaving one that an operator
 * finds with `mesh verify`.
 */
async function findLacking({ client, model, seq }: Run): Promise<number> {
  // Bare parameters are not possible in CREATE TABLE AS; the entity is generated, the sequence a number.
  const { rows: quoted } = await client.query<{ entity: string }>(
    "SELECT pg_catalog.quote_literal($1) AS entity",
    [model.scope],
  );
  const entity = quoted[0]?.entity ?? "";
  // Room for a million ids: with the default of 4 MB they would go through temporary files, twice.
  await client.query("BEGIN; SET LOCAL work_mem = '64MB'");
  const { rowCount } = await client.query(`CREATE TEMPORARY TABLE "$lacking" AS
SELECT row_number() OVER () AS ordinal, id FROM (
  SELECT DISTINCT id FROM (${knownIds(model, entity, seq)}) AS known
  WHERE NOT EXISTS (SELECT FROM "$snapshot" AS seen WHERE seen.entity_id = known.id)
) AS missing
WHERE NOT EXISTS (
  SELECT FROM mesh.applied AS state WHERE state.entity = ${entity} AND state.entity_id = missing.id AND coalesce(state.stream_seq, 0) > ${seq})`);
  await client.query("COMMIT");
  return rowCount ?? 0;
}

/** As `deleted` events would. Their versions are not known, so these tombstones are ordered by sequence. */
async function removeIds(run: Run, ids: readonly string[]): Promise<number> {
  const { client, model, logger, seq } = run;
  await client.query("BEGIN");
  const known = await lockStates(client, model.scope, ids);
  const gone = ids.filter((id) => {
    const state = known.get(id);
    // Without a cache, a deletion that came meanwhile has left nothing to remove.
    return (state?.seq ?? 0) <= seq && !(model.cache === undefined && state?.deleted === true);
  });
  const states = new Map<string, EntityState>(
    gone.map((id) => [id, { version: known.get(id)?.version ?? null, versioned: false, deleted: true, seq }]),
  );
  const deletions = gone.map((id) => ({ id, seq }));
  const lost = await lostDeletions(client, model, { deletions, logger });
  await noteUnheardDeletions(client, model, {
    known,
    lost,
    upTo: new Map(gone.map((id) => [id, HIGHEST_VERSION])),
  });
  await noteTold(
    run,
    gone.filter((id) => (known.get(id)?.version ?? 0) === 0),
    lost,
  );
  await writeStates(client, model.scope, states, { known });
  await removeEntities(client, model, gone);
  await callHandlers(client, run.handlers, lost);
  return gone.length;
}

/** Of entities without versions, whose events may come later. */
async function noteTold(
  { client, model: { scope } }: Run,
  ids: readonly string[],
  lost: readonly Incoming[],
): Promise<void> {
  if (ids.length === 0) return;
  const told = await readTold(client, scope, ids);
  const isTold = new Set(lost.map(({ id }) => id));
  await rewriteTold(
    client,
    scope,
    new Map(
      ids.map((id) => [id, toldBySnapshot(told.get(id), { change: "delete", isTold: isTold.has(id) })]),
    ),
  );
}
