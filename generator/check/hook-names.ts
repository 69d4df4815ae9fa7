import { onceFor } from "../collections/once.js";
import type { Program } from "../language/program.js";
import { EVERY_EVENT_HOOK } from "../model/names.js";

/** What a name among the hooks of any service means already; undefined: nothing. */
export function reservedHook(name: string, program: Program): string | undefined {
  if (name === "start") return "it is the hook of a service's start";
  if (name === EVERY_EVENT_HOOK) return "it is the handler of every event";
  if (handlers(program).has(name)) return "it is the handler of an event";
  return name in Object.prototype ? "every object has a method of that name" : undefined;
}

const handlers = onceFor(({ events }: Program) => new Set(events.map(({ name }) => `on${name?.value}`)));
