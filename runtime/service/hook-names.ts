import type { ServiceDefinition, SubscriberHooks } from "../definition.js";
import { nearestName } from "./nearest.js";

/**
 * What is wrong with a hooks object: names that nothing calls, and values that are no functions. A handler under a misspelt name
 * would silently never run.
 */
export function findUnknownHooks(hooks: object, definition: ServiceDefinition): readonly string[] {
  const known = knownHooks(definition);
  return Object.entries(withInherited(hooks)).flatMap(([name, value]) => {
    if (!known.has(name)) {
      const meant = nearestName(name, known);
      return `${name} fits no event and no rule of this service${meant === undefined ? "" : `; did you mean ${meant}?`}`;
    }
    const isHook = typeof value === "function" || value === undefined;
    return isHook ? [] : `${name} is ${value === null ? "null" : `a ${typeof value}`}, not a function`;
  });
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

const EVERY_EVENT: keyof SubscriberHooks = "onEvent";

function knownHooks({ consumers }: ServiceDefinition): ReadonlySet<string> {
  const events = consumers.flatMap((consumer) => consumer.events);
  return new Set([
    "start",
    ...(consumers.length === 0 ? [] : [EVERY_EVENT]),
    ...events.map(({ event }) => `on${event.name}`),
    ...events.flatMap(({ cascades }) => (cascades ?? []).flatMap(({ before }) => before?.name ?? [])),
  ]);
}
