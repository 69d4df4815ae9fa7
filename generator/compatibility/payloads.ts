import { eventSchema, schemaFileName } from "../emit/schema/event.js";
import type { Event, JsonSchema, Mesh } from "../model/mesh.js";
import { findNarrowing } from "./narrowing.js";

/** What is said at a field in mesh.yaml. */
export interface PayloadWarning {
  readonly code: "payload-narrowed";
  readonly path: readonly string[];
  readonly message: string;
  readonly hint: string;
}

/**
 * Events that are in a stream while releases change were written to the schema before: where the new one demands
 * more, its subscribers take them for invalid. `read` gives the schemas of the last run, by path.
 */
export function findNarrowedPayloads(
  mesh: Mesh,
  read: (path: string) => string | undefined,
): readonly PayloadWarning[] {
  return mesh.events.flatMap((event) => {
    const subscribers = mesh.services
      .filter(({ consumers }) => consumers.some(({ events }) => events.includes(event.name)))
      .map(({ name }) => name);
    const before = parse(read(`schemas/${schemaFileName(event)}`));
    if (subscribers.length === 0 || before === undefined) return [];
    return event.payload.flatMap(({ name }) => narrowed(event, { name, before, subscribers, mesh }));
  });
}

interface Compared {
  readonly name: string;
  readonly before: JsonSchema;
  readonly subscribers: readonly string[];
  readonly mesh: Mesh;
}

function narrowed(event: Event, { name, before, subscribers, mesh }: Compared): readonly PayloadWarning[] {
  const only = (schema: JsonSchema): JsonSchema => ({
    properties: pick(schema.properties, name),
    required: Array.isArray(schema.required) ? schema.required.filter((field) => field === name) : [],
  });
  const demand = findNarrowing(only(before), only(eventSchema(event)));
  if (demand === undefined) return [];
  const stream = mesh.streams.find(({ service }) => service === event.service);
  const days = stream === undefined ? "" : ` for ${Math.ceil(stream.maxAgeSeconds / 86_400)} days`;
  return [
    {
      code: "payload-narrowed",
      path: ["subjects", event.subject, "payload", name],
      message: `${event.name} now demands ${demand}: events that were written before, and are still in flight, become dead letters of ${subscribers.join(", ")}`,
      hint: `release it in two steps: publish the new form first and let subscribers take both, and demand it when no older event is left (${stream?.name ?? "the stream"} keeps them${days})`,
    },
  ];
}

function pick(properties: JsonSchema[string] | undefined, name: string): JsonSchema {
  if (typeof properties !== "object" || properties === null || Array.isArray(properties)) return {};
  const schema = Object.entries(properties).find(([key]) => key === name)?.[1];
  return schema === undefined ? {} : { [name]: schema };
}

/** undefined: there is none, or a merge has left it broken; it is written anew. */
function parse(text: string | undefined): JsonSchema | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as JsonSchema;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
