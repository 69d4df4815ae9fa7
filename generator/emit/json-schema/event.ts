import { HIGHEST_VERSION } from "@meshwright/runtime/version";
import type { Event, JsonSchema, Service } from "../../model/mesh.js";

/** The documented `metadata`. `version` is optional: two of the documented messages omit it. */
export const METADATA_SCHEMA = {
  type: "object",
  properties: {
    event_id: { type: "string", minLength: 1, description: "uuid v4" },
    entity_id: { type: "string", minLength: 1 },
    timestamp: { type: "integer", description: "Unix seconds" },
    source: { type: "string" },
    version: {
      type: "integer",
      minimum: 1,
      maximum: HIGHEST_VERSION,
      description: "One more with each event",
    },
  },
  required: ["event_id", "entity_id", "timestamp", "source"],
} satisfies JsonSchema;

/** `UserCreated.schema.json`: its path under `schemas/` and its `$id`. */
export function schemaFileName(event: Event): string {
  return `${event.name}.schema.json`;
}

/** The message on the wire. More properties than it names are allowed: readers are tolerant. */
export function eventSchema(event: Event): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: schemaFileName(event),
    title: event.name,
    ...(event.description === undefined ? {} : { description: event.description }),
    type: "object",
    properties: { metadata: METADATA_SCHEMA, ...payloadProperties(event) },
    required: ["metadata", ...requiredFields(event)],
  };
}

/** The message as an external service sends it: of an event in the documented envelope, `eventSchema`. */
export function messageSchema(event: Event, envelope: Service["envelope"]): JsonSchema {
  const { properties: _, required: __, ...head } = eventSchema(event);
  const payload = { properties: payloadProperties(event), required: requiredFields(event) };
  switch (envelope) {
    case undefined:
      return eventSchema(event);
    case "none":
      return { ...head, ...payload };
    case "cloudevents":
      return {
        ...head,
        properties: { ...cloudEventAttributes(event), data: { type: "object", ...payload } },
        required: ["specversion", "id", "source", "type", "data"],
      };
    default:
      return envelope satisfies never;
  }
}

function cloudEventAttributes({ foreign }: Event): Record<string, JsonSchema> {
  const text = { type: "string", minLength: 1 };
  return {
    specversion: { const: "1.0" },
    id: { ...text, description: "Unique within its source" },
    source: text,
    type: foreign?.type === undefined ? text : { const: foreign.type },
    time: { type: "string", description: "RFC 3339" },
  };
}

/** An optional field may be absent or null; the model's schemas say so already. */
export function payloadProperties(event: Event): Record<string, JsonSchema> {
  return Object.fromEntries(event.payload.map((field) => [field.name, field.schema]));
}

export function requiredFields(event: Event): string[] {
  return event.payload.filter((field) => !field.optional).map((field) => field.name);
}
