import type { CascadeDefinition, TableDefinition } from "@meshwright/runtime";
import { idSql, keyColumns, livingRows, matches, relationOf, scopeOf } from "@meshwright/runtime/simulation";
import { escapeIdentifier as quote } from "pg";
import { compareCache } from "./caches.js";
import { checkCauses } from "./caused-events.js";
import { checkEarlierRows } from "./earlier-rows.js";
import { compareForeignCopy } from "./foreign-copies.js";
import { checkHeardEvents } from "./heard-events.js";
import { checkLastIncarnations, type Effect } from "./last-incarnations.js";
import { type Copy, copiesOf, isForeign, isSynced, type Owner } from "./mesh.js";
import { metadataOf } from "./message-body.js";
import { checkMissedDeletions } from "./missed-deletions.js";
import { checkMissingCauses } from "./missing-causes.js";
import { checkMoments } from "./moments.js";
import { isLossy } from "./plan.js";
import { checkStateless } from "./stateless-services.js";
import { checkUnimplied } from "./unimplied-events.js";
import type { Outcome } from "./world.js";

/*
 * What must be true once faults have ended and the mesh is quiescent. Read from the databases, the broker's log and the
 * record of hooks, never from what the runtime reports of itself.
 */

/** The broken promises, one line each. */
export async function findViolations(outcome: Outcome): Promise<readonly string[]> {
  const { world, failures, unfinished } = outcome;
  if (unfinished !== undefined) return [...failures, `it never became quiescent: ${unfinished}`];
  const copies = copiesOf(world.mesh);
  const found = [
    ...failures,
    ...(await Promise.all(copies.map((copy) => compareCopy(outcome, copy, { byEventsAlone: false })))).flat(),
    ...(await Promise.all(copies.map((copy) => checkCascades(outcome, copy)))).flat(),
    ...(await Promise.all(copies.map((copy) => checkOutlivedReferences(outcome, copy)))).flat(),
    ...(await Promise.all(copies.map((copy) => checkMissedDeletions(outcome, copy)))).flat(),
    ...(await Promise.all(copies.map((copy) => checkEffects(outcome, copy)))).flat(),
    ...(await Promise.all(copies.map((copy) => checkEarlierRows(outcome, copy)))).flat(),
    ...(await Promise.all(copies.map((copy) => checkHooksBefore(outcome, copy)))).flat(),
    ...(await checkDeadLetters(outcome)),
    ...(await checkOnEvent(outcome)),
    ...(await checkMoments(outcome)),
    ...checkStateless(outcome),
    ...checkUnimplied(outcome),
    ...checkCauses(outcome),
    ...(await checkMissingCauses(outcome)),
    ...(await readObserved(outcome)),
  ];
  return found;
}

/** One line for each row in which a copy and its owner differ. */
export async function compareCopy(
  outcome: Pick<Outcome, "world">,
  copy: Copy,
  { byEventsAlone }: { readonly byEventsAlone: boolean },
): Promise<readonly string[]> {
  const { mesh, foreign, plan } = outcome.world;
  const { owner } = copy;
  // What was lost comes by snapshots alone.
  if (isLossy(plan) && !isSynced(mesh, copy.consumer)) return [];
  if (!isForeign(owner))
    return await compareCache({ ...copy, owner }, { untold: mesh.untold, byEventsAlone });
  const found = foreign.find(({ entity }) => entity === owner);
  return found === undefined ? [] : await compareForeignCopy(outcome, copy, found);
}

/** No row refers to a deleted entity through a column that a cascade rule names. */
async function checkCascades(outcome: Outcome, copy: Copy): Promise<readonly string[]> {
  const { consumer, owner, service } = copy;
  const rules = consumer.events.flatMap(({ cascades = [] }) => cascades);
  if (rules.length === 0) return [];
  const living = await livingIds(outcome, owner);
  const known = await knownIds(outcome, owner);
  const gone = new Set(known.filter((id) => !living.has(id)));
  const states = await service.database.query<{ id: string; deleted: boolean; heard: boolean }>(
    "SELECT entity_id AS id, deleted, version IS NOT NULL OR stream_seq IS NOT NULL AS heard FROM mesh.applied WHERE entity = $1",
    [scopeOf(consumer)],
  );
  const found: string[] = [];
  for (const rule of rules) {
    for (const { id, count } of await countRows(copy, rule)) {
      const state = states.find((one) => one.id === id);
      // Its events were lost before anything referred to it: the consumer cannot know of its deletion.
      const lost = isLossy(outcome.world.plan) && state?.heard !== true;
      if (!gone.has(id) || lost) continue;
      found.push(
        `${consumer.durable}: ${count} rows of ${rule.table.name} name ${JSON.stringify(id)}, which is deleted`,
      );
    }
  }
  return found;
}

/**
 * No row that referred to an entity when it was deleted is left, though an entity of the same id exists again. The steps at
 * which writers committed tell which came first. Not checked where messages were lost on purpose.
 */
async function checkOutlivedReferences(outcome: Outcome, copy: Copy): Promise<readonly string[]> {
  const { consumer, owner, service } = copy;
  if (isLossy(outcome.world.plan)) return [];
  const found: string[] = [];
  for (const { table, column } of consumer.events.flatMap(({ cascades = [] }) => cascades)) {
    const rows = await service.database.query<{ key: string; id: string }>(
      `SELECT ${idSql(keyColumns(table))} AS key, ${quote(column)}::text AS id FROM ${living(table)} WHERE ${quote(column)} IS NOT NULL`,
    );
    for (const { key, id } of rows) {
      const written = outcome.history.lastWritten({
        service: service.definition.name,
        table: table.name,
        key,
      });
      const deleted = outcome.history.lastDeleted({
        ...(isForeign(owner)
          ? { service: owner.service, table: owner.entity }
          : { service: owner.service.definition.name, table: owner.table.name }),
        key: id,
      });
      if (written === undefined || deleted === undefined || written > deleted) continue;
      found.push(
        `${consumer.durable}: ${table.name} ${JSON.stringify(key)} refers to an earlier incarnation of ${JSON.stringify(id)} (written at step ${written}, deleted at ${deleted})`,
      );
    }
  }
  return found;
}

/** Ids of the entities that there are. */
async function livingIds({ world }: Pick<Outcome, "world">, owner: Owner): Promise<ReadonlySet<string>> {
  if (isForeign(owner))
    return new Set(world.foreign.find(({ entity }) => entity === owner)?.living.keys() ?? []);
  const rows = await owner.service.database.query<{ id: string }>(
    `SELECT ${idSql(owner.key)} AS id FROM ${living(owner.table)}`,
  );
  return new Set(rows.map(({ id }) => id));
}

/** Ids of all that there ever were. */
async function knownIds({ world }: Pick<Outcome, "world">, owner: Owner): Promise<readonly string[]> {
  if (isForeign(owner)) return [...(world.foreign.find(({ entity }) => entity === owner)?.known ?? [])];
  const rows = await owner.service.database.query<{ id: string }>(
    "SELECT entity_id AS id FROM mesh.entity_version WHERE entity = $1",
    [`${owner.service.definition.name}.${owner.table.entity}`],
  );
  return rows.map(({ id }) => id);
}

/** SQL: the rows of a table that are not softly deleted. */
function living(table: TableDefinition): string {
  const conditions = ["true", ...livingRows(table, '"$row"')];
  return `(SELECT * FROM ${relationOf(table)} AS "$row" WHERE ${conditions.join(" AND ")}) AS "$living"`;
}

async function countRows({ service }: Copy, { table, column }: CascadeDefinition) {
  return await service.database.query<{ id: string; count: string }>(
    `SELECT ${quote(column)}::text AS id, count(*) FROM ${living(table)} WHERE ${quote(column)} IS NOT NULL GROUP BY 1`,
  );
}

/** No hook ran twice for an event, and none is missing as far as messages lost on purpose allow to say. */
async function checkEffects(outcome: Outcome, copy: Copy): Promise<readonly string[]> {
  const { plan } = outcome.world;
  const { consumer, service } = copy;
  const effects = await service.database.query<Effect>(
    'SELECT entity_id, event_id, version, action, change, origin FROM mesh__sim."$effect" WHERE durable = $1 ORDER BY ordinal',
    [consumer.durable],
  );
  const found: string[] = [];
  const seen = new Set<string>();
  for (const { entity_id: id, event_id, version, action, origin } of effects) {
    // A restored owner may publish an event again under a later version: that counts as another event.
    const keys = isLossy(plan)
      ? [`${event_id} ${version}`]
      : [event_id, ...(version === null ? [] : [`${id} ${action} ${version}`])];
    if (keys.some((key) => seen.has(key)))
      found.push(
        `${consumer.durable}: the hook for ${action} of ${JSON.stringify(id)}, version ${version} (${origin}) ran twice`,
      );
    for (const key of keys) seen.add(key);
  }
  const living = await livingIds(outcome, copy.owner);
  if (plan.effects) found.push(...(await checkLastIncarnations(outcome, copy, { effects, living })));
  found.push(...(await checkHeardEvents(outcome, copy, living)));
  return found;
}

/** The `before` hook was called for each row that a cascade removed. */
async function checkHooksBefore(outcome: Outcome, { consumer, service }: Copy): Promise<readonly string[]> {
  const rules = consumer.events
    .flatMap(({ cascades = [] }) => cascades)
    .filter(({ before }) => before !== undefined);
  const { definition } = service;
  if (isLossy(outcome.world.plan) || definition.stream === undefined) return [];
  const log = outcome.world.server.log(definition.stream.name);
  return rules.flatMap(({ table }) => {
    const prefix = `${definition.name}.${table.entity}.`;
    const deleted = log
      .filter(({ subject }) => subject.startsWith(prefix) && subject.endsWith(".deleted"))
      .map((message) => metadataOf(message).entity_id);
    return [...new Set(deleted)]
      .filter((id) => id !== undefined && !outcome.writerDeletions.has(`${table.name} ${id}`))
      .filter((id) => !outcome.hookCalls.has(`${table.name} ${id}`))
      .map((id) => `${consumer.durable}: ${table.name} ${JSON.stringify(id)} was removed without its hook`);
  });
}

/** The hook for every event ran as often as the handlers of single events, each of which hears all of its own. */
async function checkOnEvent({ world }: Outcome): Promise<readonly string[]> {
  if (!world.plan.effects) return [];
  const found: string[] = [];
  for (const { database, definition } of world.mesh.services) {
    const rows = await database.query<{ id: string; handled: number; heard: number }>(
      `SELECT event_id AS id, coalesce(handled, 0)::integer AS handled, coalesce(heard, 0)::integer AS heard
FROM (SELECT event_id, count(*) AS handled FROM mesh__sim."$effect" WHERE durable = ANY ($1) GROUP BY 1) AS one
FULL JOIN (SELECT event_id, count(*) AS heard FROM mesh__sim."$heard" WHERE service = $2 GROUP BY 1) AS other USING (event_id)
WHERE handled IS DISTINCT FROM heard ORDER BY 1`,
      [definition.consumers.map(({ durable }) => durable), definition.name],
    );
    for (const { id, handled, heard } of rows)
      found.push(
        `${definition.name}: onEvent ran ${heard} times for event ${id}, its handlers ${handled} times`,
      );
  }
  return found;
}

/** What triggers noted while it happened. */
async function readObserved({ world }: Outcome): Promise<readonly string[]> {
  const all = await Promise.all(
    world.mesh.services.map(({ database }) =>
      database.query<{ what: string }>('SELECT DISTINCT what FROM mesh__sim."$violation" ORDER BY 1'),
    ),
  );
  return [...new Set(all.flat().map(({ what }) => what))];
}

/** Each poison message is one dead letter per consumer, and nothing else is a dead letter. */
async function checkDeadLetters(outcome: Outcome): Promise<readonly string[]> {
  const { plan, mesh } = outcome.world;
  const found: string[] = [];
  for (const { database, definition } of mesh.services) {
    const letters = await database.query<{ durable: string; subject: string; error: string; count: number }>(
      "SELECT durable, subject, min(error) AS error, count(*)::integer AS count FROM mesh.dead_letter GROUP BY 1, 2",
    );
    for (const { durable, subject, error, count } of letters) {
      if (!outcome.poison.includes(subject)) found.push(`${durable}: ${subject} is a dead letter: ${error}`);
      else if (count > 1 && !isLossy(plan))
        found.push(`${durable}: ${subject} is a dead letter ${count} times`);
    }
    if (isLossy(plan)) continue;
    for (const { durable, filter } of definition.consumers) {
      const expected = outcome.poison.filter((subject) => matches(filter, subject));
      const dead = new Set(
        letters.filter((letter) => letter.durable === durable).map(({ subject }) => subject),
      );
      found.push(
        ...expected
          .filter((subject) => !dead.has(subject))
          .map((subject) => `${durable}: ${subject} vanished, it is no dead letter`),
      );
    }
  }
  return found;
}
