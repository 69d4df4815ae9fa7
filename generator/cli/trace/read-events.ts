import {
  encodeToken,
  headerId,
  openStreamReader,
  type StoredMessage,
  type StreamReader,
  type TracedEvent,
} from "@meshwright/runtime";
import { entityOf } from "../../flow/flow.js";
import type { Event, Mesh } from "../../model/mesh.js";
import { quietLogger } from "../../terminal/terminal.js";
import { natsLogin, type RunningMesh } from "../running-mesh.js";

/*
 * The events of a running mesh, as its streams hold them.
 */

export function openReader(running: RunningMesh): Promise<StreamReader> {
  return openStreamReader({ ...natsLogin(running), name: "mesh_operator", logger: quietLogger });
}

/** The stream of an owner's events. */
export function streamOfService({ streams }: Mesh, service: string): string | undefined {
  return streams.find((stream) => stream.service === service)?.name;
}

/** Every event of one entity that its stream holds, oldest first. */
export async function eventsOfEntity(
  reader: StreamReader,
  { mesh, entity, id }: { readonly mesh: Mesh; readonly entity: string; readonly id: string },
): Promise<readonly TracedEvent[]> {
  const of = mesh.events.filter((event) => entityOf(event) === entity);
  const stream = streamOfService(mesh, entity.slice(0, entity.indexOf(".")));
  if (stream === undefined) return [];
  const found: TracedEvent[] = [];
  for (const filter of new Set(of.map((event) => filterOfEntity(event, id))))
    for await (const message of reader.read({ stream, filter })) found.push(tracedOf(message));
  return found.sort((a, b) => a.seq - b.seq);
}

function filterOfEntity({ service, entity, subject, foreign }: Event, id: string): string {
  const token = encodeToken(id);
  return foreign?.subject === undefined
    ? `${service}.${entity}.${token}.*`
    : subject.replace("{id}", () => token);
}

/** Undefined where no stream holds it. `progress` gets the stream that is read. */
export async function findEvent(
  reader: StreamReader,
  mesh: Mesh,
  eventId: string,
): Promise<TracedEvent | undefined> {
  for (const { name } of mesh.streams) {
    for await (const message of reader.read({ stream: name, headersOnly: true }))
      if (message.headers["Nats-Msg-Id"] === eventId) return tracedOf(message);
  }
  return undefined;
}

/** What a service's stream holds since then and was caused by an event, by the id of that. */
export async function causedIn(
  reader: StreamReader,
  stream: string,
  since: Date,
): Promise<ReadonlyMap<string, readonly TracedEvent[]>> {
  const byCause = new Map<string, TracedEvent[]>();
  for await (const message of reader.read({ stream, from: since, headersOnly: true })) {
    const event = tracedOf(message);
    if (event.causationId === null) continue;
    const known = byCause.get(event.causationId);
    if (known === undefined) byCause.set(event.causationId, [event]);
    else known.push(event);
  }
  return byCause;
}

export function tracedOf({ subject, stream, seq, time, body, headers }: StoredMessage): TracedEvent {
  const metadata = metadataOf(body);
  const given = headers["Nats-Msg-Id"] ?? metadata.event_id;
  return {
    stream,
    seq,
    subject,
    at: time.toISOString(),
    eventId: typeof given === "string" ? given : null,
    version: typeof metadata.version === "number" ? metadata.version : null,
    causationId: headers["Mesh-Causation-Id"] ?? null,
    correlationId: headers["Mesh-Correlation-Id"] ?? null,
  };
}

/** What is no such message has none. */
function metadataOf(body: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const parsed = JSON.parse(Buffer.from(body).toString("utf8")) as {
      readonly metadata?: Record<string, unknown>;
    };
    return parsed?.metadata ?? {};
  } catch {
    return {};
  }
}

/** By what an event is named in the headers of those that it caused. */
export function causationIdOf({ eventId }: Pick<TracedEvent, "eventId">): string | undefined {
  return eventId === null ? undefined : headerId(eventId);
}
