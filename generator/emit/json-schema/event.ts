import { HIGHEST_VERSION } from "@meshwright/runtime/version";
import type { Event, Field, JsonSchema, NamedType, Service } from "../../model/mesh.js";
import { namesIn } from "../../model/schema-references.js";

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

/** The message as its service sends it, with a definition for each of the mesh's types that it uses. More properties than it names are allowed: readers are tolerant. */
export function messageSchema(
  event: Event,
  envelope: Service["envelope"],
  types: readonly NamedType[],
): JsonSchema {
  return { ...schemaHead(event), ...enveloped(event, envelope), ...definitions(event, types) };
}

function schemaHead(event: Event): JsonSchema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: schemaFileName(event),
    title: event.name,
    ...(event.description === undefined ? {} : { description: event.description }),
    type: "object",
  };
}

function enveloped(event: Event, envelope: Service["envelope"]): JsonSchema {
  const { properties, required } = objectOf(event.payload);
  switch (envelope) {
    case undefined:
      return {
        properties: { metadata: METADATA_SCHEMA, ...properties },
        required: ["metadata", ...required],
      };
    case "none":
      return { properties, required };
    case "cloudevents":
      return {
        properties: { ...cloudEventAttributes(event), data: { type: "object", properties, required } },
        required: ["specversion", "id", "source", "type", "data"],
      };
    default:
      return envelope satisfies never;
  }
}

/** Of the types that the payload uses, and of those that they use. */
function definitions({ payload }: Event, types: readonly NamedType[]): JsonSchema {
  const used = new Set<string>();
  const use = (fields: readonly Field[]): void => {
    for (const name of fields.flatMap(({ named }) => (named === undefined ? [] : namesIn(named)))) {
      if (used.has(name)) continue;
      used.add(name);
      use(types.find((type) => type.name === name)?.fields ?? []);
    }
  };
  use(payload);
  if (used.size === 0) return {};
  const defined = types.filter(({ name }) => used.has(name));
  return {
    $defs: Object.fromEntries(
      defined.map(({ name, fields }) => [name, { type: "object", ...objectOf(fields) }]),
    ),
  };
}

/** What an object of these fields holds. */
export function objectOf(fields: readonly Field[]) {
  return {
    properties: Object.fromEntries(fields.map(({ name, schema, named }) => [name, named ?? schema])),
    required: fields.filter(({ optional }) => !optional).map(({ name }) => name),
  };
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
