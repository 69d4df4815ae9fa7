import {
  encodeToken,
  headerId,
  headerOf,
  type Identify,
  identifier,
  type MessageIdentity,
  openStreamReader,
  type StoredMessage,
  type StreamReader,
  type TracedEvent,
} from "@meshwright/runtime";
import { entityOf, type Flow } from "../../flow/flow.js";
import type { Event, Mesh, Stream } from "../../model/mesh.js";
import { operatorLogin } from "../asked-sources.js";
import type { RunningMesh } from "../running-mesh.js";

/*
 * The events of a running mesh, as its streams hold them.
 */

export function openReader(running: RunningMesh): Promise<StreamReader> {
  return openStreamReader(operatorLogin(running));
}

/** The stream of an owner's events. */
export function streamOfService({ streams }: Mesh, service: string): Stream | undefined {
  return streams.find((stream) => stream.service === service);
}

/** An event of a stream, and whose it is. */
export type FoundEvent = TracedEvent & Pick<MessageIdentity, "entity" | "id" | "action">;

/** Reads the messages of a stream as its subscribers do. */
export function eventReader({ events }: Mesh, stream: Stream): (message: StoredMessage) => FoundEvent {
  const forms = events
    .filter(({ service }) => service === stream.service)
    .map((event) => ({ entity: entityOf(event), action: event.action, ...event.foreign }));
  const identify = identifier(stream.envelope, forms);
  return (message) => foundOf(message, identify);
}

function foundOf(message: StoredMessage, identify: Identify): FoundEvent {
  const { subject, stream, seq, time, headers } = message;
  return {
    ...identify(message),
    ...{ stream, seq, subject },
    at: time.toISOString(),
    causationId: headerOf(headers, "Mesh-Causation-Id") ?? null,
    correlationId: headerOf(headers, "Mesh-Correlation-Id") ?? null,
  };
}

/** Every event of one entity that its stream holds, oldest first. */
export async function eventsOfEntity(
  reader: StreamReader,
  { flow, entity, id }: { readonly flow: Flow; readonly entity: string; readonly id: string },
): Promise<readonly FoundEvent[]> {
  const stream = streamOfService(flow.mesh, entity.slice(0, entity.indexOf(".")));
  if (stream === undefined) return [];
  const toEvent = eventReader(flow.mesh, stream);
  const found = new Map<number, FoundEvent>();
  for (const filter of new Set(flow.eventsOfEntity(entity).map((event) => filterOfEntity(event, id))))
    for await (const message of reader.read({ stream: stream.name, filter })) {
      const event = toEvent(message);
      if (event.entity === entity && event.id === id) found.set(event.seq, event);
    }
  return [...found.values()].sort((a, b) => a.seq - b.seq);
}

/** Where a field of the body says whose it is, all that may be the entity's. */
function filterOfEntity({ service, entity, foreign }: Event, id: string): string {
  const token = foreign?.idField === undefined ? encodeToken(id) : "*";
  return foreign?.subject === undefined
    ? `${service}.${entity}.${token}.*`
    : foreign.subject.replace("{id}", () => token);
}

/** Undefined where no stream holds it. */
export async function findEvent(
  reader: StreamReader,
  mesh: Mesh,
  eventId: string,
): Promise<FoundEvent | undefined> {
  for (const stream of mesh.streams) {
    const toEvent = eventReader(mesh, stream);
    for await (const message of reader.read({ stream: stream.name, headersOnly: headersTell(stream) })) {
      const event = toEvent(message);
      if (event.eventId === eventId || headerOf(message.headers, "Nats-Msg-Id") === eventId) return event;
    }
  }
  return undefined;
}

/** Services of ours send each event's id as a header; those that are written by hand may say it in the body alone. */
function headersTell({ external }: Stream): boolean {
  return !external;
}

/** What a service's stream holds since then and was caused by an event, by the id of that. */
export async function causedIn(
  reader: StreamReader,
  { mesh, stream, since }: { readonly mesh: Mesh; readonly stream: Stream; readonly since: Date },
): Promise<ReadonlyMap<string, readonly FoundEvent[]>> {
  const byCause = new Map<string, FoundEvent[]>();
  const toEvent = eventReader(mesh, stream);
  const range = { stream: stream.name, from: since, headersOnly: headersTell(stream) };
  for await (const message of reader.read(range)) {
    const event = toEvent(message);
    if (event.causationId === null) continue;
    const known = byCause.get(event.causationId);
    if (known === undefined) byCause.set(event.causationId, [event]);
    else known.push(event);
  }
  return byCause;
}

/** By what an event is named in the headers of those that it caused. */
export function causationIdOf({ eventId }: Pick<TracedEvent, "eventId">): string | undefined {
  return eventId === null ? undefined : headerId(eventId);
}
