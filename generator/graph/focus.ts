import { compareNames } from "../collections/compare-names.js";
import { explainEvent } from "../flow/explain-event.js";
import { namesOfParts } from "../flow/find-part.js";
import { entityOf, type Flow } from "../flow/flow.js";
import type { Part } from "../flow/part.js";
import type { Event } from "../model/mesh.js";
import type { Reach } from "./picture.js";

/** What a focus may be, as one asks elsewhere: `auth`, `auth.user`, `auth.user.*`, `auth.user.deleted`, and `UserDeleted`. */
export function focusNames(flow: Flow): readonly string[] {
  return [...namesOfParts(flow)]
    .flatMap(([name, parts]) => (parts.some(isFocus) ? name : []))
    .sort(compareNames);
}

/**
 * What follows from the events of a service, of an entity, or from one event: who hears them, what their cascades do, which events
 * that emits, and so on. Of a service also what it hears itself, from whom. What hooks do is their own affair, and not followed.
 * undefined: there is no such thing in the mesh.
 */
export function reachFrom(flow: Flow, focus: string): Reach | undefined {
  const part = namesOfParts(flow).get(focus.trim())?.find(isFocus);
  if (part === undefined) return undefined;
  const { services } = flow.mesh;
  const service = services.find(({ name }) => part.kind === "service" && name === part.service);
  const first = flow.mesh.events.filter((event) => isAbout(event, part));
  const { events, consumers } = follow(flow, first);
  for (const { durable, publisher, events: heard } of service?.consumers ?? []) {
    consumers.add(durable);
    if (publisher !== service?.name) for (const name of heard) events.add(name);
  }
  const ends = services.flatMap(({ name, consumers: its }) =>
    its.filter(({ durable }) => consumers.has(durable)).flatMap(({ publisher }) => [name, publisher]),
  );
  const own = service === undefined ? first.map((event) => event.service) : [service.name];
  return { focus, services: new Set([...own, ...ends]), events, consumers };
}

type Focus = Extract<Part, { readonly kind: "service" | "entity" | "event" }>;

function isFocus(part: Part): part is Focus {
  return part.kind === "service" || part.kind === "entity" || part.kind === "event";
}

function isAbout(event: Event, part: Focus): boolean {
  switch (part.kind) {
    case "service":
      return event.service === part.service;
    case "entity":
      return entityOf(event) === part.entity;
    case "event":
      return event.name === part.event;
    default:
      return part satisfies never;
  }
}

interface Followers {
  readonly events: Set<string>;
  readonly consumers: Set<string>;
}

/** The events that follow from these, and who hears any of them. */
function follow(flow: Flow, first: readonly Event[]): Followers {
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
