import type { ConsumedEvent, ConsumerDefinition } from "../definition/consumer-definition.js";
import type { ConsumerHooks } from "../definition/hook-definition.js";
import type { ServiceDefinition } from "../definition/service-definition.js";
import { nearestName } from "./nearest.js";

/**
 * What is wrong with a hooks object: names that nothing calls, and values that are no functions. A handler under a misspelt name
 * would silently never run.
 */
export function findUnknownHooks(hooks: object, definition: ServiceDefinition): readonly string[] {
  const consumers: Consumers = [...definition.consumers, ...(definition.stateless?.consumers ?? [])];
  const named = groupNamed(consumers);
  const unnamed = consumers.filter(({ name }) => name === undefined);
  return findUnknown(hooks, new Set(["start", ...knownHooks(unnamed)]), named);
}

type Consumers = readonly (Pick<ConsumerDefinition, "name"> & {
  readonly events: readonly Pick<ConsumedEvent, "event" | "cascades">[];
})[];

/** Consumers by their name: the hooks of those of one name are one object under it. */
function groupNamed(consumers: Consumers): ReadonlyMap<string, Consumers> {
  const named = new Map<string, Consumers>();
  for (const consumer of consumers)
    if (consumer.name !== undefined)
      named.set(consumer.name, [...(named.get(consumer.name) ?? []), consumer]);
  return named;
}

function findUnknown(
  hooks: object,
  known: ReadonlySet<string>,
  named: ReadonlyMap<string, Consumers>,
): readonly string[] {
  return Object.entries(withInherited(hooks)).flatMap(([name, value]) => {
    const ofConsumer = named.get(name);
    if (ofConsumer !== undefined && value !== undefined) {
      if (typeof value !== "object" || value === null)
        return [`${name} is ${kindOf(value)}, not an object with the hooks of that consumer`];
      const found = findUnknown(value, new Set(knownHooks(ofConsumer)), new Map());
      return found.map((line) => `${name}.${line}`);
    }
    if (!known.has(name) && ofConsumer === undefined) {
      const meant = nearestName(name, new Set([...known, ...named.keys()]));
      return `${name} fits no event and no rule of this service${meant === undefined ? "" : `; did you mean ${meant}?`}`;
    }
    const isHook = typeof value === "function" || value === undefined;
    return isHook ? [] : `${name} is ${kindOf(value)}, not a function`;
  });
}

function kindOf(value: unknown): string {
  return value === null ? "null" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/** The object's members, and those of its class: methods are its prototype's. */
function withInherited(hooks: object): Readonly<Record<string, unknown>> {
  const found: Record<string, unknown> = Object.create(null);
  for (let at = hooks; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    const own = at === hooks ? Object.keys(at) : Object.getOwnPropertyNames(at);
    for (const name of own)
      if (name !== "constructor" && !(name in found)) found[name] = Reflect.get(hooks, name);
  }
  return found;
}

const EVERY_EVENT: keyof ConsumerHooks = "onEvent";

function knownHooks(consumers: Consumers): readonly string[] {
  const events = consumers.flatMap((consumer) => consumer.events);
  return [
    ...(consumers.length === 0 ? [] : [EVERY_EVENT]),
    ...events.map(({ event }) => `on${event.name}`),
    ...events.flatMap(({ cascades }) => (cascades ?? []).flatMap(({ before }) => before?.name ?? [])),
  ];
}
