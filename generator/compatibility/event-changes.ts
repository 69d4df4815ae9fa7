import type { Event } from "../model/mesh.js";
import { type Change, changeOf } from "./change.js";
import { compareEmission } from "./emission-changes.js";
import { compareFields } from "./field-changes.js";
import { type Meshes, same } from "./meshes.js";
import { partiesOf, subscribersOf } from "./readers.js";

/** Subjects that come, go, are sent otherwise, and the fields of their payloads. */
export function compareEvents(meshes: Meshes): readonly Change[] {
  const { before, next } = meshes;
  const old = new Map(before.events.map((event) => [event.subject, event]));
  const kept = new Set(next.events.map(({ subject }) => subject));
  return [
    ...before.events.filter(({ subject }) => !kept.has(subject)).map((event) => removed(event, meshes)),
    ...next.events.flatMap((event) => {
      const previous = old.get(event.subject);
      return previous === undefined ? [added(event, meshes)] : compareEvent(previous, event, meshes);
    }),
  ];
}

function removed(event: Event, { before, flows }: Meshes): Change {
  const concerns = subscribersOf(event, flows.before);
  return changeOf("event-removed", {
    path: ["subjects", event.subject],
    gone: true,
    message: `${event.name} (${event.subject}) is no longer published`,
    concerns,
    parties: partiesOf(event.service, concerns, before),
  });
}

/** Only a durable that is there already is read by replicas that do not know the action. */
function added(event: Event, { before, next, flows }: Meshes): Change {
  const concerns = subscribersOf(event, flows.next).filter(({ service }) =>
    before.services
      .find(({ name }) => name === service)
      ?.consumers.some(
        ({ entity, events }) => entity === `${event.service}.${event.entity}` && events.length > 0,
      ),
  );
  return changeOf("event-added", {
    path: ["subjects", event.subject],
    message: `${event.name} (${event.subject}) is new`,
    concerns,
    parties: partiesOf(event.service, concerns, next),
  });
}

function compareEvent(previous: Event, event: Event, meshes: Meshes): readonly Change[] {
  const { next, flows } = meshes;
  const concerns = subscribersOf(previous, flows.before);
  const path = ["subjects", event.subject];
  const parties = partiesOf(event.service, concerns, next);
  const said = { path, concerns, parties };
  const changes: Change[] = [];
  if (previous.name !== event.name) {
    const message = `${previous.name} is called ${event.name}: types, and hooks (${event.names.hook})`;
    changes.push(changeOf("event-renamed", { ...said, path: [...path, "event"], message }));
  }
  if (previous.change !== event.change) {
    const message = `${event.name} is ${ofEntity(event)}, no longer ${ofEntity(previous)}`;
    changes.push(changeOf("event-meaning-changed", { ...said, path: [...path, "change"], message }));
  }
  if (!same(previous.foreign, event.foreign)) {
    const owner = { service: event.service, as: "publishes it" };
    const message = `${event.name} is found by ${addressOf(event)}, no longer by ${addressOf(previous)}`;
    changes.push(changeOf("address-changed", { ...said, concerns: [owner, ...concerns], message }));
  }
  return [
    ...changes,
    ...emissionChanges(previous, event, said, meshes),
    ...compareFields(previous, event, meshes),
  ];
}

function ofEntity({ change }: Event): string {
  return { none: "a mere occurrence", create: "a creation", update: "an update", delete: "a deletion" }[
    change
  ];
}

function addressOf({ foreign, filter }: Event): string {
  const { subject = filter, type, idField, eventIdField } = foreign ?? {};
  const said = [
    subject,
    type && `type ${type}`,
    idField && `id ${idField}`,
    eventIdField && `event_id ${eventIdField}`,
  ];
  return said.filter(Boolean).join(", ");
}

type Said = Pick<Parameters<typeof changeOf>[1], "path" | "concerns" | "parties">;

function emissionChanges(previous: Event, event: Event, said: Said, { former }: Meshes): readonly Change[] {
  const old = { emit: previous.emit && former.emit(previous), payload: previous.payload };
  const found = compareEmission(old, event);
  if (found === undefined) return [];
  const message = `${event.name} ${found.says}`;
  return [changeOf(found.kind, { ...said, path: [...said.path, "emit"], message })];
}
