import type {
  CascadeDefinition,
  ConsumedEvent,
  ConsumerDefinition,
  Handler,
  MeshEvent,
  ServiceDefinition,
} from "@meshwright/runtime";
import { joinId, keyNames } from "@meshwright/runtime/simulation";
import { fillLocalColumns, inHook } from "./local-columns.js";
import { isSynced } from "./mesh.js";
import { localColumns } from "./postgres/observers.js";
import type { Actor } from "./schedule.js";
import { instrumentStateless } from "./stateless-services.js";
import type { World } from "./world.js";

/*
 * The generated service with the user's hooks, shorter periods, and a record of what hooks did: each handler inserts
 * a row in its own transaction, each call of a `before` hook is recorded outside of any transaction.
 */

/** Short enough for a schedule to see them end, long enough for something to happen meanwhile. */
const SNAPSHOT_SECONDS = 4;
/** Messages per batch: few, so that a schedule has several batches. */
const PACE = { ackWaitSeconds: 3, backoffSeconds: [0.1, 0.5, 1], batch: 5 };

interface Scope {
  readonly world: World;
  readonly actor: Actor;
  readonly service: ServiceDefinition;
}

export function instrument(world: World, actor: Actor, service: ServiceDefinition): ServiceDefinition {
  const scope = { world, actor, service };
  const hearsAll = service.onEvent !== undefined || (world.plan.effects && service.consumers.length > 0);
  return {
    ...service,
    onEvent: hearsAll ? recordOnEvent(scope, service.onEvent) : undefined,
    consumers: service.consumers.map((consumer) => instrumentConsumer(scope, consumer)),
    ...instrumentStateless(scope, PACE),
  };
}

function instrumentConsumer(scope: Scope, consumer: ConsumerDefinition): ConsumerDefinition {
  const { sync: declared, ...subscription } = consumer;
  const { delivery, events } = consumer;
  // The stream of an external owner is made for it, as under mesh dev.
  const { external: _, ...stream } = consumer.stream;
  const sync = isSynced(scope.world.mesh, consumer) ? declared : undefined;
  return {
    ...subscription,
    stream,
    ...(sync === undefined
      ? {}
      : { sync: { ...sync, everySeconds: scope.world.plan.periodic ? SNAPSHOT_SECONDS : 0 } }),
    delivery: { ...delivery, ...PACE },
    events: events.map((consumed) => instrumentEvent(scope, { consumer, consumed })),
    onEvent:
      consumer.onEvent !== undefined || scope.world.plan.effects
        ? recordOnEvent(scope, consumer.onEvent)
        : undefined,
  };
}

interface ConsumedBy {
  readonly consumer: ConsumerDefinition;
  readonly consumed: ConsumedEvent<never>;
}

function instrumentEvent(scope: Scope, { consumer, consumed }: ConsumedBy): ConsumedEvent<never> {
  const { handler, cascades, event } = consumed;
  const { cache } = consumer;
  // Somebody has to fill a local column. Without a handler of every event most batches still take the fast path.
  const fills = cache !== undefined && localColumns(cache).length > 0 && event.change === "create";
  const recorded = handler !== undefined || scope.world.plan.effects || fills;
  return {
    ...consumed,
    ...(recorded ? { handler: recordHandler(scope, { consumer, consumed }) } : {}),
    ...(cascades === undefined ? {} : { cascades: cascades.map((rule) => recordRule(scope, rule)) }),
  };
}

interface EffectMetadata {
  readonly event_id: string;
  readonly entity_id: string;
  readonly version?: number;
}

const RECORD_EFFECT = `INSERT INTO mesh__sim."$effect" (durable, origin, event_id, entity, entity_id, version, action, change)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`;

function recordHandler({ world, actor, service }: Scope, { consumer, consumed }: ConsumedBy): Handler<never> {
  const { event, handler: userHandler } = consumed;
  const { durable, entity, cache } = consumer;
  const handler: Handler<never> = async (context) => {
    const { metadata } = context.event as { readonly metadata: EffectMetadata };
    const { event_id, entity_id, version = null } = metadata;
    await inHook(context.tx, service, async () => {
      if (userHandler !== undefined) {
        world.coverage.count("hook called", `${service.name} on ${entity}.${event.action}`);
        await world.schedule.outside(actor, userHandler(context));
      }
      if (cache !== undefined) await fillLocalColumns(context.tx, cache, { id: entity_id, version });
    });
    const { action, change } = event;
    await context.tx.query(RECORD_EFFECT, [
      durable,
      context.origin,
      event_id,
      entity,
      entity_id,
      version,
      action,
      change,
    ]);
    // The id of an event that follows from another is drawn anew at each attempt, and all would fail until it is a dead letter.
    const call = context.origin === "event" ? event_id : `${entity_id} ${action}`;
    if (world.hookFails(`${durable} ${call}`)) throw new Error("simulated: this hook fails");
  };
  return handler;
}

function recordOnEvent(
  { world, actor, service }: Scope,
  onEvent: Handler<MeshEvent> | undefined,
): Handler<MeshEvent> {
  return async (context) => {
    const { metadata } = context.event;
    if (onEvent !== undefined)
      await inHook(context.tx, service, async () => {
        world.coverage.count("hook called", `${service.name} onEvent`);
        await world.schedule.outside(actor, onEvent(context));
      });
    await context.tx.query(
      'INSERT INTO mesh__sim."$heard" (service, event_id, subject, origin) VALUES ($1, $2, $3, $4)',
      [service.name, metadata.event_id, context.subject, context.origin],
    );
  };
}

function recordRule({ world, actor, service }: Scope, rule: CascadeDefinition): CascadeDefinition {
  const { before, table } = rule;
  if (before === undefined) return rule;
  const call: (typeof before)["call"] = async (context) => {
    const row = context.row as Readonly<Record<string, unknown>>;
    const id = joinId(keyNames(table).map((name) => String(row[name])));
    if (world.hookFails(`${before.name} ${id}`)) throw new Error("simulated: this hook fails");
    world.coverage.count("hook called", `${service.name} ${before.name}`);
    await world.schedule.outside(actor, before.call(context));
    // Not part of a transaction: a rollback does not undo the call.
    world.recordHookCall(table.name, id);
  };
  return { ...rule, before: { ...before, call } };
}
