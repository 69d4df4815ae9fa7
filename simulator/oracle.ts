import type { CascadeDefinition } from "../runtime/definition.js";
import { compareCache, quote } from "./caches.js";
import { type Copy, copiesOf } from "./mesh.js";
import { isLossy } from "./plan.js";
import { checkUnheardLives } from "./unheard.js";
import type { Ending } from "./world.js";

/*
 * What must be true once faults have ended and all is quiet. Read from the databases, the broker's log and what hooks left
 * behind, never from what the runtime says of itself.
 */

/** Every promise that is broken, one line each; empty when all are kept. */
export async function findViolations(ending: Ending): Promise<readonly string[]> {
  const { world, failures, unquiet } = ending;
  if (unquiet !== undefined) return [...failures, `it never came to rest: ${unquiet}`];
  const copies = copiesOf(world.mesh);
  const found = [
    ...failures,
    ...(await Promise.all(copies.map(compareCache))).flat(),
    ...(await Promise.all(copies.map((copy) => checkCascades(ending, copy)))).flat(),
    ...(await Promise.all(copies.map((copy) => checkFormerLives(ending, copy)))).flat(),
    ...(await Promise.all(copies.map((copy) => checkUnheardLives(ending, copy)))).flat(),
    ...(await Promise.all(copies.map((copy) => checkEffects(ending, copy)))).flat(),
    ...(await Promise.all(copies.map((copy) => checkHooksBefore(ending, copy)))).flat(),
    ...(await checkDeadLetters(ending)),
  ];
  return found;
}

/** No row that a rule names is left. */
async function checkCascades(ending: Ending, copy: Copy): Promise<readonly string[]> {
  const { consumer, owner, service } = copy;
  const rules = consumer.events.flatMap(({ cascades = [] }) => cascades);
  if (rules.length === 0) return [];
  const living = new Set((await keysOf(copy)).map(({ id }) => id));
  const known = await owner.service.database.query<{ id: string }>(
    "SELECT entity_id AS id FROM mesh.entity_version WHERE entity = $1",
    [consumer.entity],
  );
  const gone = new Set(known.map(({ id }) => id).filter((id) => !living.has(id)));
  const states = await service.database.query<{ id: string; deleted: boolean; heard: boolean }>(
    "SELECT entity_id AS id, deleted, version IS NOT NULL OR stream_seq > 0 AS heard FROM mesh.applied WHERE source = $1",
    [consumer.entity],
  );
  const found: string[] = [];
  for (const rule of rules) {
    for (const { id, count } of await countRows(copy, rule)) {
      const state = states.find((one) => one.id === id);
      // Of an entity that was never heard of here nothing can be known: its events were lost before it was named.
      const lost = isLossy(ending.world.plan) && state?.heard !== true;
      if (!gone.has(id) || lost) continue;
      found.push(
        `${consumer.durable}: ${count} rows of ${rule.table.name} name ${JSON.stringify(id)}, which is deleted`,
      );
    }
  }
  return found;
}

/**
 * No row is left that named an entity when it was deleted, though there is one of the same id again: it is another. Told
 * by the steps at which writers committed; what was lost on purpose may take its deletion along.
 */
async function checkFormerLives(ending: Ending, copy: Copy): Promise<readonly string[]> {
  const { consumer, owner, service } = copy;
  if (isLossy(ending.world.plan)) return [];
  const found: string[] = [];
  for (const { table, column } of consumer.events.flatMap(({ cascades = [] }) => cascades)) {
    const rows = await service.database.query<{ key: string; id: string }>(
      `SELECT ${quote(table.key)}::text AS key, ${quote(column)}::text AS id FROM ${quote(table.name)} WHERE ${quote(column)} IS NOT NULL`,
    );
    for (const { key, id } of rows) {
      const written = ending.history.written(service.definition.name, table.name, key);
      const deleted = ending.history.deleted(owner.service.definition.name, owner.table.name, id);
      if (written === undefined || deleted === undefined || written > deleted) continue;
      found.push(
        `${consumer.durable}: ${table.name} ${JSON.stringify(key)} belongs to a former ${JSON.stringify(id)} (written at step ${written}, deleted at ${deleted})`,
      );
    }
  }
  return found;
}

async function keysOf({ owner }: Copy): Promise<readonly { readonly id: string }[]> {
  return await owner.service.database.query<{ id: string }>(
    `SELECT ${quote(owner.table.key)}::text AS id FROM ${quote(owner.table.name)}`,
  );
}

async function countRows({ service }: Copy, { table, column }: CascadeDefinition) {
  return await service.database.query<{ id: string; count: string }>(
    `SELECT ${quote(column)}::text AS id, count(*) FROM ${quote(table.name)} WHERE ${quote(column)} IS NOT NULL GROUP BY 1`,
  );
}

interface Effect {
  readonly entity_id: string;
  readonly event_id: string;
  readonly version: string | null;
  readonly action: string;
  readonly change: string;
  readonly origin: string;
}

/** No effect twice; none missing, as far as what was lost on purpose allows to say. */
async function checkEffects(ending: Ending, copy: Copy): Promise<readonly string[]> {
  const { plan } = ending.world;
  const { consumer, service } = copy;
  const effects = await service.database.query<Effect>(
    'SELECT entity_id, event_id, version, action, change, origin FROM mesh_sim."$effect" WHERE durable = $1 ORDER BY place',
    [consumer.durable],
  );
  const found: string[] = [];
  const seen = new Set<string>();
  for (const { entity_id: id, event_id, version, action, origin } of effects) {
    // What a restored owner publishes once more, under a later version, is another event.
    const marks = isLossy(plan)
      ? [`${event_id} ${version}`]
      : [event_id, ...(version === null ? [] : [`${id} ${action} ${version}`])];
    if (marks.some((mark) => seen.has(mark)))
      found.push(
        `${consumer.durable}: the hook for ${action} of ${JSON.stringify(id)}, version ${version} (${origin}) ran twice`,
      );
    for (const mark of marks) seen.add(mark);
  }
  if (plan.effects) found.push(...(await checkLives(ending, copy, effects)));
  return found;
}

/** Of each entity, the hooks of its last life ran: created, and deleted where it is gone. */
async function checkLives(
  { world }: Ending,
  copy: Copy,
  effects: readonly Effect[],
): Promise<readonly string[]> {
  const { consumer, service } = copy;
  // Of what was lost a list of ids cannot tell enough for a hook.
  if (consumer.cache === undefined && isLossy(world.plan)) return [];
  const { events, durable } = consumer;
  const changes = new Set(events.map(({ change }) => change));
  if (!changes.has("create") || !changes.has("delete")) return [];
  const living = new Set((await keysOf(copy)).map(({ id }) => id));
  const states = await service.database.query<{ id: string; deleted: boolean }>(
    "SELECT entity_id AS id, deleted FROM mesh.applied WHERE source = $1 AND (version IS NOT NULL OR stream_seq > 0)",
    [consumer.entity],
  );
  return states.flatMap(({ id }) => {
    const told = effects.filter(({ entity_id }) => entity_id === id).map(({ change }) => change);
    const last = told.findLast((change) => change === "create" || change === "delete");
    // Of a creation that was lost an update may be the first to tell, before a snapshot does.
    const greeted = last === "create" || (isLossy(world.plan) && told.at(-1) === "update");
    if (living.has(id) && !greeted)
      return [`${durable}: no hook for the creation of ${JSON.stringify(id)} ran`];
    if (!living.has(id) && last === "create")
      return [`${durable}: no hook for the deletion of ${JSON.stringify(id)} ran`];
    return [];
  });
}

/** A row that a cascade removed was announced to its hook. */
async function checkHooksBefore(ending: Ending, { consumer, service }: Copy): Promise<readonly string[]> {
  const rules = consumer.events
    .flatMap(({ cascades = [] }) => cascades)
    .filter(({ before }) => before !== undefined);
  const { definition } = service;
  if (isLossy(ending.world.plan) || definition.stream === undefined) return [];
  const log = ending.world.server.log(definition.stream.name);
  return rules.flatMap(({ table }) => {
    const prefix = `${definition.name}.${table.entity}.`;
    const deleted = log
      .filter(({ subject }) => subject.startsWith(prefix) && subject.endsWith(".deleted"))
      .map(({ body }) => entityIn(body));
    return [...new Set(deleted)]
      .filter((id) => id !== undefined && !ending.deletedByHand.has(`${table.name} ${id}`))
      .filter((id) => !ending.called.has(`${table.name} ${id}`))
      .map((id) => `${consumer.durable}: ${table.name} ${JSON.stringify(id)} was removed without its hook`);
  });
}

function entityIn(body: Uint8Array): string | undefined {
  try {
    const { metadata } = JSON.parse(Buffer.from(body).toString()) as { metadata: { entity_id: string } };
    return metadata.entity_id;
  } catch {
    return undefined;
  }
}

/** Each message that nobody can read is one dead letter per reader, and nothing else is one. */
async function checkDeadLetters(ending: Ending): Promise<readonly string[]> {
  const { plan, mesh } = ending.world;
  const found: string[] = [];
  for (const { database, definition } of mesh.services) {
    const letters = await database.query<{ durable: string; subject: string; error: string; count: number }>(
      "SELECT durable, subject, min(error) AS error, count(*)::integer AS count FROM mesh.dead_letter GROUP BY 1, 2",
    );
    for (const { durable, subject, error, count } of letters) {
      if (!ending.poison.includes(subject)) found.push(`${durable}: ${subject} is a dead letter: ${error}`);
      else if (count > 1 && !isLossy(plan))
        found.push(`${durable}: ${subject} is a dead letter ${count} times`);
    }
    if (isLossy(plan)) continue;
    for (const { durable, entity } of definition.consumers) {
      const expected = ending.poison.filter((subject) => subject.startsWith(`${entity}.`));
      const told = new Set(
        letters.filter((letter) => letter.durable === durable).map(({ subject }) => subject),
      );
      found.push(
        ...expected
          .filter((subject) => !told.has(subject))
          .map((subject) => `${durable}: ${subject} vanished, it is no dead letter`),
      );
    }
  }
  return found;
}
