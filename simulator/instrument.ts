import type {
  CascadeDefinition,
  ConsumedEvent,
  ConsumerDefinition,
  Handler,
  MeshEvent,
  ServiceDefinition,
} from "@meshwright/runtime";
import { joinId, keyNames } from "@meshwright/runtime/simulation";
import type { Actor } from "./schedule.js";
import type { World } from "./world.js";

/*
 * The generated service with the user's hooks, shorter periods, and a record of what hooks did: each handler inserts
 * a row in its own transaction, each call of a `before` hook is recorded outside of any transaction.
 */

/** Short enough for a schedule to see them end, long enough for something to happen meanwhile. */
const ACK_WAIT_SECONDS = 3;
const SNAPSHOT_SECONDS = 4;
const BACKOFF_SECONDS = [0.1, 0.5, 1];
/** Messages per batch: few, so that a schedule has several batches. */
const BATCH = 5;

export function instrument(world: World, actor: Actor, definition: ServiceDefinition): ServiceDefinition {
  const { onEvent } = definition;
  return {
    ...definition,
    onEvent: outside(world, actor, onEvent),
    consumers: definition.consumers.map((consumer) => instrumentConsumer(world, actor, consumer)),
  };
}

function outside(
  world: World,
  actor: Actor,
  onEvent: Handler<MeshEvent> | undefined,
): Handler<MeshEvent> | undefined {
  return onEvent && ((context) => world.schedule.outside(actor, onEvent(context)));
}

function instrumentConsumer(world: World, actor: Actor, consumer: ConsumerDefinition): ConsumerDefinition {
  const { sync: declared, ...subscription } = consumer;
  const { delivery, events } = consumer;
  // An external owner takes no part: its stream is made for it, as under mesh dev, and nobody serves its list.
  const { external, ...stream } = consumer.stream;
  const sync = external === true ? undefined : declared;
  return {
    ...subscription,
    stream,
    ...(sync === undefined
      ? {}
      : { sync: { ...sync, everySeconds: world.plan.periodic ? SNAPSHOT_SECONDS : 0 } }),
    delivery: {
      ...delivery,
      ackWaitSeconds: ACK_WAIT_SECONDS,
      backoffSeconds: BACKOFF_SECONDS,
      batch: BATCH,
    },
    events: events.map((consumed) => instrumentEvent(world, actor, { consumer, consumed })),
    onEvent: outside(world, actor, consumer.onEvent),
  };
}

interface ConsumedBy {
  readonly consumer: ConsumerDefinition;
  readonly consumed: ConsumedEvent<never>;
}

function instrumentEvent(
  world: World,
  actor: Actor,
  { consumer, consumed }: ConsumedBy,
): ConsumedEvent<never> {
  const { handler, cascades } = consumed;
  const recorded = handler !== undefined || world.plan.effects;
  return {
    ...consumed,
    ...(recorded ? { handler: recordHandler(world, actor, { consumer, consumed }) } : {}),
    ...(cascades === undefined ? {} : { cascades: cascades.map((rule) => recordRule(world, actor, rule)) }),
  };
}

function recordHandler(world: World, actor: Actor, { consumer, consumed }: ConsumedBy): Handler<never> {
  const { event, handler: userHandler } = consumed;
  const handler: Handler<never> = async (context) => {
    const { metadata } = context.event as { readonly metadata: EffectMetadata };
    if (userHandler !== undefined) await world.schedule.outside(actor, userHandler(context));
    await context.tx.query(
      `INSERT INTO mesh_sim."$effect" (durable, origin, event_id, entity_id, version, action, change)
VALUES ($1, $2, $3, $4, $5, $6, $7)`,
      [
        consumer.durable,
        context.origin,
        metadata.event_id,
        metadata.entity_id,
        metadata.version ?? null,
        event.action,
        event.change,
      ],
    );
    if (world.hookFails(`${consumer.durable} ${metadata.event_id}`))
      throw new Error("simulated: this hook fails");
  };
  return handler;
}

interface EffectMetadata {
  readonly event_id: string;
  readonly entity_id: string;
  readonly version?: number;
}

function recordRule(world: World, actor: Actor, rule: CascadeDefinition): CascadeDefinition {
  const { before, table } = rule;
  if (before === undefined) return rule;
  const call: (typeof before)["call"] = async (context) => {
    const row = context.row as Readonly<Record<string, unknown>>;
    const id = joinId(keyNames(table).map((name) => String(row[name])));
    if (world.hookFails(`${before.name} ${id}`)) throw new Error("simulated: this hook fails");
    await world.schedule.outside(actor, before.call(context));
    // Not part of a transaction: a rollback does not undo the call.
    world.recordHookCall(table.name, id);
  };
  return { ...rule, before: { ...before, call } };
}
