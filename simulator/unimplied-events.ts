import { enqueueEvent } from "@meshwright/runtime";
import { matches, subjectOf } from "@meshwright/runtime/simulation";
import type pg from "pg";
import { describeMessages, withId } from "./foreign-entities.js";
import {
  type MeshFacts,
  type OwnedTable,
  type PlayedService,
  subscriptionsOf,
  type UnimpliedEntity,
} from "./mesh.js";
import { isLossy, KEYS, type Write } from "./plan.js";
import { keyOf } from "./values.js";
import type { Outcome, World } from "./world.js";

/*
 * Events of the mesh's own services that no table implies: code of the service writes them to its outbox, in a transaction of its own.
 */

/** Entities of which somebody hears such events. Of one that a table owns, what changes nothing: its rows tell the rest. */
export function describeUnimplied(
  played: readonly PlayedService[],
  tables: readonly OwnedTable[],
  payloads: MeshFacts["payloads"],
): readonly UnimpliedEntity[] {
  const subscriptions = subscriptionsOf(played);
  return played.flatMap((service): readonly UnimpliedEntity[] => {
    if (service.database === undefined) return [];
    const { name } = service.definition;
    const entities = new Set(
      subscriptions.map(({ entity }) => entity).filter((entity) => entity.startsWith(`${name}.`)),
    );
    return [...entities].flatMap((entity) => {
      const owner = tables.find((one) => one.service === service && `${name}.${one.table.entity}` === entity);
      const heard = subscriptions.filter((one) => one.entity === entity);
      const described = describeMessages(heard, payloads, {
        ...(owner && { ids: Array.from({ length: KEYS }, (_, number) => keyOf(owner, number)) }),
        says: ({ action, change }) =>
          payloads[`${entity}.${action}`] !== undefined && (owner === undefined || change === "none"),
      });
      return described === undefined ? [] : [{ service, entity, ...described }];
    });
  });
}

/** One event, or two of one transaction; a swap is rolled back, and nobody hears of it. */
export async function publishUnimplied(
  client: pg.Client,
  {
    world,
    spoken,
    write,
  }: { readonly world: World; readonly spoken: UnimpliedEntity; readonly write: Write },
): Promise<void> {
  const { entity, ids, idFields, events } = spoken;
  const { name, source } = spoken.service.definition;
  const entityId = ids[write.key % ids.length] ?? "";
  const event = events[(write.value + write.column) % events.length];
  const payload = event?.payloads[write.value % event.payloads.length];
  if (event === undefined || payload === undefined) return;
  const { definition } = event;
  const outgoing = {
    source,
    service: name,
    event: definition,
    entityId,
    payload: withId(payload, idFields, entityId),
  };
  const times = write.kind === "recreate and update" ? 2 : 1;
  const subject = subjectOf({
    service: name,
    entity: definition.entity,
    id: entityId,
    action: definition.action,
  });
  world.note({ name }, `publishes ${entity}.${definition.action} ${entityId}`);
  await client.query("BEGIN");
  for (let time = 0; time < times; time += 1) await enqueueEvent(client, outgoing);
  if (write.kind === "swap") {
    await client.query("ROLLBACK");
    return;
  }
  // Where the answer is lost, they may have been published or not.
  world.recordPublished(subject, { least: 0, most: times });
  await client.query("COMMIT");
  world.recordPublished(subject, { least: times, most: 0 });
}

/** What was committed is in the stream, and nothing else. */
export function checkUnimplied({ world, published }: Outcome): readonly string[] {
  if (isLossy(world.plan)) return [];
  return world.mesh.unimplied.flatMap(({ service: { definition }, entity, events }) => {
    if (definition.stream === undefined) return [];
    const filters = events.map((event) => `${entity}.*.${event.definition.action}`);
    const told = new Map<string, Set<string>>();
    for (const { subject, headers } of world.server.log(definition.stream.name)) {
      const id = headers["Nats-Msg-Id"];
      if (id === undefined || !filters.some((filter) => matches(filter, subject))) continue;
      told.set(subject, (told.get(subject) ?? new Set()).add(id));
    }
    const subjects = new Set(
      [...told.keys(), ...published.keys()].filter((one) => one.startsWith(`${entity}.`)),
    );
    return [...subjects].flatMap((subject) => {
      const count = told.get(subject)?.size ?? 0;
      const { least, most } = published.get(subject) ?? { least: 0, most: 0 };
      return count >= least && count <= most
        ? []
        : [`${subject} was published ${count} times, and committed ${least} to ${most} times`];
    });
  });
}
