import { METADATA_SCHEMA, messageSchema, objectOf } from "../emit/json-schema/event.js";
import type { Lookup } from "../emit/lookup.js";
import { eventSentence } from "../emit/wording.js";
import type { Event, JsonSchema, JsonValue, NamedType } from "../model/mesh.js";
import { nameOfReference, referenceTo, replaceReferences } from "../model/schema-references.js";

/** An event as it travels: its body, and the headers beside it. */
export function eventMessage(event: Event, lookup: Lookup): { readonly [key: string]: JsonValue } {
  const { external, envelope } = lookup.service(event.service);
  const { $schema, $id, $defs, ...payload } = messageSchema(event, envelope, lookup.mesh.types);
  return {
    name: event.name,
    title: event.name,
    summary: eventSentence(event),
    contentType: "application/json",
    headers: external ? FOREIGN_HEADERS : HEADERS,
    payload: inComponents(withMetadata(payload, lookup.mesh.types)),
  };
}

const MESSAGE_ID: JsonSchema = {
  type: "string",
  minLength: 1,
  description: "The event_id: JetStream drops a second message of that id within the stream's dedupe window",
};
const CAUSE: { readonly [header: string]: JsonSchema } = {
  "Mesh-Causation-Id": { type: "string", description: "The event_id of the event that caused this one" },
  "Mesh-Correlation-Id": {
    type: "string",
    description: "The same from the first event of a chain to its last",
  },
  traceparent: { type: "string", description: "W3C Trace Context" },
};

const HEADERS: JsonSchema = {
  type: "object",
  properties: { "Nats-Msg-Id": MESSAGE_ID, ...CAUSE },
  required: ["Nats-Msg-Id"],
};

/** What a service that is written by hand should send. */
const FOREIGN_HEADERS: JsonSchema = {
  type: "object",
  properties: { "Nats-Msg-Id": MESSAGE_ID, ...CAUSE },
};

/** The documented metadata has a name, so that who generates code from it has one type for all events. */
function withMetadata(payload: JsonSchema, types: readonly NamedType[]): JsonSchema {
  const { properties = null } = payload;
  if (typeof properties !== "object" || properties === null || !("metadata" in properties)) return payload;
  if (properties.metadata !== METADATA_SCHEMA) return payload;
  return { ...payload, properties: { ...properties, metadata: { $ref: referenceTo(metadataName(types)) } } };
}

/** The name is the mesh's where a type of its own has it. */
function metadataName(types: readonly NamedType[]): string {
  return types.some(({ name }) => name === "Metadata") ? "EventMetadata" : "Metadata";
}

/** The mesh's types and the documented metadata, as components. */
export function componentSchemas(types: readonly NamedType[]): { readonly [name: string]: JsonValue } {
  return { ...typeSchemas(types), [metadataName(types)]: METADATA_SCHEMA };
}

function typeSchemas(types: readonly NamedType[]): { readonly [name: string]: JsonValue } {
  return Object.fromEntries(
    types.map(({ name, fields }) => [name, inComponents({ type: "object", ...objectOf(fields) })]),
  );
}

/** In AsyncAPI nothing may stand beside a reference. */
function inComponents(schema: JsonSchema): JsonSchema {
  return replaceReferences(schema, (reference, beside) => {
    const named = { $ref: `#/components/schemas/${nameOfReference(reference)}` };
    return Object.keys(beside).length === 0 ? named : { ...beside, allOf: [named] };
  });
}
