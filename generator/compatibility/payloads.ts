import { messageSchema, schemaFileName } from "../emit/json-schema/event.js";
import type { Event, JsonSchema, Mesh } from "../model/mesh.js";
import { expandReferences } from "../model/schema-references.js";
import { readBefore, type SubjectBefore } from "./before.js";
import { findNarrowing, isSchema } from "./narrowing.js";

/** A warning at a field in mesh.yaml, or at an event that is new or has lost a field. */
export interface PayloadWarning {
  readonly code: "payload-narrowed" | "payload-widened" | "action-added";
  readonly path: readonly string[];
  readonly message: string;
  readonly hint: string;
}

/**
 * While releases change, an event may be validated by a schema of another release: an older event, still in its stream, by
 * the new schema; an event of a new publisher by that of a subscriber's older replicas, which may not know its action at
 * all. It is a dead letter where that schema demands more. `read` gives the files of the last run.
 */
export function findPayloadWarnings(
  mesh: Mesh,
  read: (path: string) => string | undefined,
): readonly PayloadWarning[] {
  const before = readBefore(read);
  return mesh.events.flatMap((event) => {
    const subscribers = mesh.services
      .filter(({ consumers }) => consumers.some(({ events }) => events.includes(event.name)))
      .map(({ name }) => name);
    if (subscribers.length === 0) return [];
    const compared = { event, subscribers, mesh };
    const schema = before.schemaOf(schemaFileName(event));
    return [
      ...findAddedAction(compared, before.subjects),
      ...(schema === undefined ? [] : comparePayload(compared, schema)),
    ];
  });
}

interface Compared {
  readonly event: Event;
  readonly subscribers: readonly string[];
  readonly mesh: Mesh;
}

function comparePayload({ event, ...compared }: Compared, file: JsonSchema): readonly PayloadWarning[] {
  const now = inFull(messageSchema(event, undefined, compared.mesh.types));
  const before = inFull(file);
  const names = event.payload.map(({ name }) => name);
  const gone = Object.keys(propertiesOf(before)).filter(
    (name) => name !== "metadata" && !names.includes(name),
  );
  return [...names, ...gone].flatMap((name) => {
    const [old, next] = [only(before, name), only(now, name)];
    const path = ["subjects", event.subject, "payload", ...(names.includes(name) ? [name] : [])];
    const demand = findNarrowing(old, next);
    if (demand !== undefined) return [narrowed({ event, ...compared }, path, demand)];
    const former = findNarrowing(next, old);
    return former === undefined ? [] : [widened({ event, ...compared }, path, former)];
  });
}

function narrowed(
  { event, subscribers, mesh }: Compared,
  path: readonly string[],
  demand: string,
): PayloadWarning {
  const stream = mesh.streams.find(({ service }) => service === event.service);
  const days = stream === undefined ? "" : ` for ${Math.ceil(stream.maxAgeSeconds / 86_400)} days`;
  return {
    code: "payload-narrowed",
    path,
    message: `${event.name} now demands ${demand}: events that were written before, and are still in flight, become dead letters of ${subscribers.join(", ")}`,
    hint: `release it in two steps: publish the new form first and let subscribers take both, and demand it when no older event is left (${stream?.name ?? "the stream"} keeps them${days})`,
  };
}

function widened({ event, subscribers }: Compared, path: readonly string[], demand: string): PayloadWarning {
  return {
    code: "payload-widened",
    path,
    message: `${event.name} no longer demands ${demand}, and replicas of older releases do: what they take meanwhile becomes a dead letter of ${subscribers.join(", ")}`,
    hint: subscribersFirst(event, subscribers),
  };
}

/** Replicas share a durable, which delivers every action: an older replica makes a dead letter of an action that it does not know. */
function findAddedAction(
  { event, subscribers }: Compared,
  before: readonly SubjectBefore[],
): readonly PayloadWarning[] {
  const known = before.filter(({ service, entity }) => service === event.service && entity === event.entity);
  if (known.some(({ action }) => action === event.action)) return [];
  const older = subscribers.filter((name) => known.some((subject) => subject.subscribers.includes(name)));
  if (older.length === 0) return [];
  return [
    {
      code: "action-added",
      path: ["subjects", event.subject],
      message: `"${event.action}" is a new action of ${event.service}.${event.entity}, and replicas of older releases do not know it: what they take meanwhile becomes a dead letter of ${older.join(", ")}`,
      hint: subscribersFirst(event, older),
    },
  ];
}

function subscribersFirst({ service }: Event, subscribers: readonly string[]): string {
  const redrive = subscribers.map((name) => `mesh dlq redrive ${name} --all`).join(", ");
  return `let no older replica of ${subscribers.join(", ")} run on when ${service} begins to publish it; else, afterwards: ${redrive}`;
}

/** With the mesh's types in place of what names them, of the file as of the model: what differs is what they demand. */
function inFull(schema: JsonSchema): JsonSchema {
  const definitions = new Map(Object.entries(isSchema(schema.$defs) ? schema.$defs : {}));
  return expandReferences(schema, (name) => {
    const definition = definitions.get(name);
    return isSchema(definition) ? definition : undefined;
  });
}

/** What the schema says of one property. */
function only(schema: JsonSchema, name: string): JsonSchema {
  const property = Object.entries(propertiesOf(schema)).find(([key]) => key === name);
  return {
    properties: property === undefined ? {} : Object.fromEntries([property]),
    required: Array.isArray(schema.required) ? schema.required.filter((field) => field === name) : [],
  };
}

function propertiesOf({ properties }: JsonSchema): JsonSchema {
  return isSchema(properties) ? properties : {};
}
