import { compareNames } from "../collections/compare-names.js";
import { explainEvent } from "../flow/explain-event.js";
import { openFlow, subjectOf } from "../flow/flow.js";
import type { Event, Mesh } from "../model/mesh.js";
import type { Reach } from "./picture.js";

/** What a focus may be: `auth`, `auth.user`, `auth.user.deleted`, and `UserDeleted`. */
export function focusNames(mesh: Mesh): readonly string[] {
  const names = [...mesh.services.map(({ name }) => name), ...mesh.events.flatMap(namesOf)];
  return [...new Set(names)].sort(compareNames);
}

/**
 * What follows from the events of a service, of an entity, or from one event: who hears them, what their cascades do, which events
 * that emits, and so on. Of a service also what it hears itself, from whom. What hooks do is their own affair, and not followed.
 * undefined: there is no such thing in the mesh.
 */
export function reachFrom(mesh: Mesh, focus: string): Reach | undefined {
  const service = mesh.services.find(({ name }) => name === focus);
  const first = mesh.events.filter((event) => event.service === focus || namesOf(event).includes(focus));
  if (service === undefined && first.length === 0) return undefined;
  const { events, consumers } = follow(mesh, first);
  for (const { durable, publisher, events: heard } of service?.consumers ?? []) {
    consumers.add(durable);
    if (publisher !== focus) for (const name of heard) events.add(name);
  }
  const ends = mesh.services.flatMap(({ name, consumers: its }) =>
    its.filter(({ durable }) => consumers.has(durable)).flatMap(({ publisher }) => [name, publisher]),
  );
  const own = service === undefined ? first.map((event) => event.service) : [focus];
  return { focus, services: new Set([...own, ...ends]), events, consumers };
}

function namesOf(event: Event): readonly string[] {
  return [`${event.service}.${event.entity}`, subjectOf(event), event.subject, event.name];
}

interface Followers {
  readonly events: Set<string>;
  readonly consumers: Set<string>;
}

/** The events that follow from these, and who hears any of them. */
function follow(mesh: Mesh, first: readonly Event[]): Followers {
  const flow = openFlow(mesh);
  const events = new Set(first.map(({ name }) => name));
  const consumers = new Set<string>();
  const branches = first.flatMap((event) => explainEvent(flow, event).next);
  // The list grows while it is walked.
  for (const { how, to, next } of branches) {
    if (how === "hears" && to.kind === "consumer") consumers.add(to.durable);
    if (how === "emits" && to.kind === "event") events.add(to.event);
    branches.push(...next);
  }
  return { events, consumers };
}
