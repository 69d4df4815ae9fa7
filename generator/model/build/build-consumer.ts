import { syncDefaults } from "@meshwright/runtime/defaults";
import { compareNames } from "../../collections/compare-names.js";
import { sourceOf } from "../../language/carriers.js";
import { targetOf } from "../../language/cascade-target.js";
import { deliveryBlocks, resolveDelivery } from "../../language/delivery-settings.js";
import { type Program, touches } from "../../language/program.js";
import type { EntitySymbol, ServiceSymbol, SubscriptionSymbol } from "../../language/symbols.js";
import { wireName } from "../../vocabulary/namings.js";
import { coverAll } from "../filters.js";
import type { Cascade, Consumer, Event, Source } from "../mesh.js";
import { callKeyVariable, pascalCase, serviceUrlVariable, streamName, valueName } from "../names.js";
import { filterOfEvent } from "./build-event.js";
import { filterOf } from "./build-pattern.js";
import type { EventIndex } from "./event-index.js";
import { required } from "./invariant.js";

/** One for each entity that the service subscribes to, and name under which it does. Of an external one its durable alone has an effect. */
export function buildConsumers(
  service: ServiceSymbol,
  events: EventIndex,
  program: Program,
): readonly Consumer[] {
  const heard = subscribedEntities(service, program);
  const entities = heard.map(({ entity }) => entity);
  return heard.map((subscribed) => {
    const { entity, action, name, subscription } = subscribed;
    const received = events
      .ofEntity(entity.entityName)
      .filter((event) => action === undefined || event.action === action);
    const cache = copyOf(service, subscribed);
    return {
      name,
      stream: streamName(required(program.services.get(entity.service), `the owner of ${entity.entityName}`)),
      pattern: `${entity.entityName}.${action ?? "*"}`,
      filter: filterOfSubscription(entity, action),
      entity: entity.entityName,
      publisher: entity.service,
      events: received.map((event) => event.name),
      cache,
      source:
        cache === undefined && action === undefined && service.database !== undefined
          ? findSource(entity, service, program)
          : undefined,
      cascades: name === undefined ? buildCascades(service.name, received, program) : [],
      delivery: resolveDelivery(deliveryBlocks(subscription, service, program)),
      ...nameConsumer(service.name, subscribed, entities),
    };
  });
}

/** One filter for all: nats-server 2.9 knows no list of them in a durable. */
function filterOfSubscription(entity: EntitySymbol, action: string | undefined): string {
  const heard = entity.events.filter(
    ({ subject }) => action === undefined || subject.value.action === action,
  );
  const hasTemplates = heard.some(({ node }) => node?.get.subject !== undefined);
  return hasTemplates ? coverAll(heard.map(filterOfEvent)) : filterOf({ ...entity, action });
}

/** It has hooks alone: it keeps nothing, and its hooks are called at least once per message. */
export function isStateless({ external, database }: ServiceSymbol): boolean {
  return !external && database === undefined;
}

export interface SubscribedEntity {
  readonly entity: EntitySymbol;
  /** The only action that is heard; undefined: every one. */
  readonly action: string | undefined;
  readonly name: string | undefined;
  readonly subscription: SubscriptionSymbol;
}

/** By entity, each once under each name. */
export function subscribedEntities(service: ServiceSymbol, program: Program): readonly SubscribedEntity[] {
  const heard = new Map<string, SubscribedEntity>();
  for (const subscription of service.subscriptions) {
    const { value } = subscription.pattern;
    const name = subscription.name?.value;
    for (const entity of program.entitiesOf(value.service))
      if (touches(value, entity))
        heard.set(`${entity.entityName} ${name}`, { entity, action: value.action, name, subscription });
  }
  return [...heard.values()].sort(
    (a, b) =>
      compareNames(a.entity.entityName, b.entity.entityName) || compareNames(a.name ?? "", b.name ?? ""),
  );
}

interface ConsumerIdentity {
  readonly durable: string;
  readonly names: Consumer["names"];
}

/** Named after the entity; after its owner as well where the service hears two entities of one name; last after its own name. */
export function nameConsumer(
  service: string,
  { entity: { service: publisher, entity }, action, name }: Omit<SubscribedEntity, "subscription">,
  heard: readonly EntitySymbol[],
): ConsumerIdentity {
  const isAmbiguous = heard.some((other) => other.entity === entity && other.service !== publisher);
  // `a-b` and `c` beside `a` and `b-c`: a dot, which no name holds, keeps their names apart.
  const file = (from: string, of: string) => `${from}-${of}.ts`;
  const isFileTaken = heard.some(
    (other) => other.service !== publisher && file(other.service, other.entity) === file(publisher, entity),
  );
  const own = name === undefined ? [] : [name];
  const stem = [service, ...(isAmbiguous ? [publisher] : []), entity, ...own].join("_");
  // Another filter is another durable: one that exists has passed what it did not hear.
  const of = [service, publisher, entity, ...(action === undefined ? [] : [action]), ...own];
  return {
    durable: of.join("_"),
    names: {
      type: pascalCase(stem),
      value: valueName(stem),
      file:
        name !== undefined || isFileTaken
          ? `${[publisher, entity, ...own].join(".")}.ts`
          : file(publisher, entity),
    },
  };
}

/** The cache that a consumer keeps; of named consumers none does. */
export function copyOf(
  service: ServiceSymbol,
  { entity, name }: Pick<SubscribedEntity, "entity" | "name">,
): string | undefined {
  return name === undefined ? cacheOf(service, entity.entityName) : undefined;
}

function cacheOf(service: ServiceSymbol, entityName: string): string | undefined {
  for (const table of service.database?.tables.values() ?? []) {
    if (table.cacheOf?.text === entityName) return table.name;
  }
  return undefined;
}

/** The owner's REST resource over the table that the entity's events are emitted from. */
export function findSource(
  entity: EntitySymbol,
  { name: reader }: ServiceSymbol,
  program: Program,
): Source | undefined {
  const owner = program.services.get(entity.service);
  const table = sourceOf(entity.events);
  if (owner === undefined || owner.external || table === undefined) return undefined;
  const paths = (owner.node?.get.http?.get.resources?.entries ?? [])
    .filter((resource) => resource.node?.value === table.name)
    .map(({ name }) => name.value)
    .sort(compareNames);
  const [path] = paths;
  if (path === undefined) return undefined;
  return {
    service: owner.name,
    path,
    urlVariable: serviceUrlVariable(owner.name),
    keyVariable: callKeyVariable(reader, owner.name),
    ...syncDefaults,
    key: table.key.map(({ name }) => wireName(name, owner.naming)),
  };
}

function buildCascades(service: string, received: readonly Event[], program: Program): readonly Cascade[] {
  return received.flatMap((event) =>
    program
      .cascadesOf(service, `${event.service}.${event.entity}.${event.action}`)
      .map((rule): Cascade => {
        const { action, column } = required(targetOf(rule), "the target of a cascade");
        return { event: event.name, action, ...column.value, before: rule.get.before?.value };
      })
      .sort((a, b) => compareNames(a.table, b.table) || compareNames(a.column, b.column)),
  );
}
