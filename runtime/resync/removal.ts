import { escapeIdentifier } from "pg";
import { callHandlers, lockStates, removeEntities, writeStates } from "../inbox/apply.js";
import type { ConsumerModel } from "../inbox/consumer-model.js";
import type { EntityState } from "../inbox/order.js";
import { pause } from "../pause.js";
import { hookedEvent, lostDeletions } from "./implied-hooks.js";
import { hasTasks } from "./incarnations.js";
import { inParts, type Outcome, type Run } from "./snapshot-run.js";
import { SnapshotFailed } from "./snapshot-source.js";
import { nameOf, type SetAside, TOLD_TWICE } from "./unfit-rows.js";

/*
 * What the source no longer has, once all of it was read: removed as a `deleted` event would.
 */

const REMOVAL_ROWS = 500;

/**
 * Throws `SnapshotFailed` for a source that nothing is taken for deleted on the word of: one whose rows nobody can take,
 * or mostly name no entity, is more likely wrong than empty.
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

/** Known here, last touched at or before the noted sequence, and not told: their deletion was missed. */
export async function removeMissing(run: Run): Promise<Outcome> {
  const { client, model } = run;
  const found = await findMissing(run);
  const total = { done: 0, failed: 0 };
  for (let from = 0; from < found; from += REMOVAL_ROWS) {
    const { rows } = await client.query<{ id: string }>(
      'SELECT id FROM "$missing" WHERE place > $1 AND place <= $2',
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
 * Entities of which elements of different chunks tell: those of one chunk were told apart before. The later one was
 * merged over the other, unless it is of an older version.
 */
export async function noteToldTwice({ client, setAside }: Run): Promise<void> {
  // Room for a million ids, as in `findMissing`.
  await client.query("BEGIN; SET LOCAL work_mem = '64MB'");
  const { rows } = await client.query<{
    id: string;
    total: number;
  }>(`SELECT entity_id AS id, (count(*) OVER ())::integer AS total
FROM "$told" WHERE NOT unfit GROUP BY entity_id HAVING count(*) > 1 LIMIT 100`);
  await client.query("COMMIT");
  setAside.add(rows.map(({ id }) => ({ place: null, id, reason: TOLD_TWICE, element: null })));
  setAside.count((rows[0]?.total ?? 0) - rows.length);
}

const HEARD_MS = 10 * 60_000;
const LOOK_MS = 250;

/**
 * Without a cache a deletion that is found lacks what its event says, so its hook could not run, and the
 * event would be stale when it came. Those that are still on their way are let through first.
 */
export async function untilHeard({ model, settledUpTo, seq, signal }: Run): Promise<void> {
  if (model.cache !== undefined || hookedEvent(model, "delete") === undefined) return;
  const deadline = Date.now() + HEARD_MS;
  while (settledUpTo !== undefined && !(await settledUpTo(seq))) {
    signal.throwIfAborted();
    if (Date.now() > deadline)
      throw new SnapshotFailed("events from before it wait: no deletion is inferred");
    await pause(LOOK_MS, signal);
  }
}

/** Of the rows of the cache, those that are not told. */
function missingRows({ cache }: ConsumerModel, entity: string, seq: number): string {
  if (cache === undefined) return "";
  const key = `"$row".${escapeIdentifier(cache.key.name)}::text`;
  return `SELECT ${key} AS id FROM ${escapeIdentifier(cache.table.name)} AS "$row"
  LEFT JOIN mesh.applied AS state ON state.entity = ${entity} AND state.entity_id = ${key}
  WHERE coalesce(state.stream_seq, 0) <= ${seq}
    AND NOT EXISTS (SELECT FROM "$told" AS told WHERE told.entity_id = ${key})
  UNION`;
}

/**
 * Fills `"$missing"` and gives its size. An entity that was only ever referred to is none of them, however
 * long the source lacks it: a row may be written ahead of what it refers to, and to remove it would be
 * worse than to leave one that an operator finds with `mesh verify`.
 */
async function findMissing({ client, model, seq }: Run): Promise<number> {
  // Bare parameters are not possible in CREATE TABLE AS; the entity is generated, the sequence a number.
  const { rows: quoted } = await client.query<{ entity: string }>("SELECT quote_literal($1) AS entity", [
    model.definition.entity,
  ]);
  const entity = quoted[0]?.entity ?? "";
  // Room for a million ids: with the default of 4 MB they would go through temporary files, twice.
  await client.query("BEGIN; SET LOCAL work_mem = '64MB'");
  const { rowCount } = await client.query(`CREATE TEMPORARY TABLE "$missing" AS
SELECT row_number() OVER () AS place, id FROM (
  ${missingRows(model, entity, seq)}
  SELECT entity_id AS id FROM mesh.applied AS state
  WHERE entity = ${entity} AND NOT deleted AND coalesce(stream_seq, 0) <= ${seq} AND (version IS NOT NULL OR stream_seq IS NOT NULL)
    AND NOT EXISTS (SELECT FROM "$told" AS told WHERE told.entity_id = state.entity_id)
) AS missing`);
  await client.query("COMMIT");
  return rowCount ?? 0;
}

/** As a `deleted` event would. Its version is not known, so the tombstone goes by sequence from here on. */
async function removeIds(run: Run, ids: readonly string[]): Promise<number> {
  const { client, model, logger, seq } = run;
  await client.query("BEGIN");
  const known = await lockStates(client, model.definition.entity, ids);
  const gone = ids.filter((id) => {
    const state = known.get(id);
    // Without a cache there is no row either that could outlast a deletion that came meanwhile.
    return (state?.seq ?? 0) <= seq && !(model.cache === undefined && state?.deleted === true);
  });
  const states = new Map<string, EntityState>(
    gone.map((id) => [id, { version: known.get(id)?.version ?? null, versioned: false, deleted: true, seq }]),
  );
  const places = gone.map((id) => ({ id, seq }));
  const lost = await lostDeletions(client, model, { places, logger });
  await writeStates(client, model.definition.entity, states, known);
  await removeEntities(client, model, gone);
  await callHandlers(client, run.apply, lost);
  return gone.length;
}
