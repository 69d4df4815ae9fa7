import type { StoredMessage } from "../broker/broker.js";
import type { Metadata } from "../definition/event-definition.js";
import type { Envelope } from "../definition/stream-definition.js";
import { fieldOf } from "../values/field.js";
import { type Members, parseJson, writtenText } from "../values/json-text.js";

/*
 * The envelopes of external services. Whatever says whose an event is (CloudEvents attributes, a token of the subject, a field) becomes
 * the documented `metadata`, so that schema, guard and hooks know one form. None of them has versions: the stream orders the events.
 */

/** The payload of a message, and what its envelope says of it. */
export interface Opened {
  readonly data: unknown;
  /** CloudEvents `type`; undefined in other envelopes. */
  readonly type: string | undefined;
  /** For an event of which the subject names the entity, or a field does. */
  readonly metadata: (id: string | undefined, eventId: string | undefined) => Metadata;
}

/** The message is not in the envelope that the file declares. */
export class NoEnvelope extends Error {
  override readonly name = "NoEnvelope";
}

/** Throws `SyntaxError` for what is no JSON, and `NoEnvelope`. */
export function openEnvelope(
  { envelope, entity }: { readonly envelope: Envelope; readonly entity: string },
  message: StoredMessage,
  members: Members,
): Opened {
  switch (envelope) {
    case "cloudevents":
      return openCloudEvent(message, members);
    case "none":
      return openBare(message, members, entity.slice(0, entity.indexOf(".")));
    default:
      return envelope satisfies never;
  }
}

function openBare(message: StoredMessage, members: Members, source: string): Opened {
  return {
    data: parseJson(textOf(message.body), members),
    type: undefined,
    metadata: (id, eventId) => ({
      event_id: eventId ?? headerOf(message, "nats-msg-id") ?? placeOf(message),
      entity_id: id ?? "",
      timestamp: secondsOf(message.time),
      source,
    }),
  };
}

/** A stream that is made anew counts from 1 again, at other times. */
function placeOf({ stream, seq, time }: StoredMessage): string {
  return `${stream}:${seq}:${time.getTime()}`;
}

type Attributes = Readonly<Record<string, unknown>>;

function openCloudEvent(message: StoredMessage, members: Members): Opened {
  const isBinary = headerOf(message, "ce-specversion") !== undefined;
  const { attributes, data } = isBinary ? readBinary(message) : readStructured(message);
  const [specversion, id, source, type] = ["specversion", "id", "source", "type"].map((name) => {
    const value = fieldOf(attributes, name);
    if (typeof value !== "string" || value === "") throw new NoEnvelope(`no CloudEvent: it has no ${name}`);
    return value;
  });
  if (specversion !== "1.0") throw new NoEnvelope(`a CloudEvent of specversion ${specversion}, not 1.0`);
  const subject = fieldOf(attributes, "subject");
  const time = Date.parse(String(fieldOf(attributes, "time")));
  return {
    data: data === undefined ? {} : parseJson(data, members),
    type: type ?? "",
    metadata: (entity) => ({
      // An id is unique within its source alone.
      event_id: `${source} ${id}`,
      entity_id: entity ?? (typeof subject === "string" ? subject : ""),
      timestamp: secondsOf(Number.isNaN(time) ? message.time : new Date(time)),
      source: source ?? "",
    }),
  };
}

interface CloudEvent {
  readonly attributes: Attributes;
  /** The text of the payload; undefined where there is none. */
  readonly data: string | undefined;
}

/** Attributes in headers `ce-…`, the payload as the body. */
function readBinary({ headers, body }: StoredMessage): CloudEvent {
  const attributes = Object.entries(headers).flatMap(([name, value]) =>
    /^ce-/i.test(name) ? [[name.slice(3).toLowerCase(), decodeHeader(value)]] : [],
  );
  return {
    attributes: Object.fromEntries(attributes) as Attributes,
    data: body.length === 0 ? undefined : textOf(body),
  };
}

/** Non-ASCII characters and `%` travel percent-encoded. */
function decodeHeader(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

const DATA: Members = new Set(["data"]);

/** One JSON object (`application/cloudevents+json`) with the payload in `data`. */
function readStructured(message: StoredMessage): CloudEvent {
  const attributes = parseJson(textOf(message.body), DATA);
  if (typeof attributes !== "object" || attributes === null || Array.isArray(attributes))
    throw new NoEnvelope(`no CloudEvent: it is ${Array.isArray(attributes) ? "a batch" : "no object"}`);
  const encoded = fieldOf(attributes as Attributes, "data_base64");
  const data =
    typeof encoded === "string"
      ? Buffer.from(encoded, "base64").toString("utf8")
      : writtenText(attributes, "data");
  return { attributes: attributes as Attributes, data };
}

function headerOf({ headers }: StoredMessage, name: string): string | undefined {
  const found = Object.entries(headers).find(([key]) => key.toLowerCase() === name);
  return found?.[1] || undefined;
}

/** A body is mostly a buffer already, and making another takes longer than to read a short text. */
export function textOf(body: Uint8Array): string {
  const buffer = Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return buffer.toString("utf8");
}

function secondsOf(time: Date): number {
  return Math.floor(time.getTime() / 1_000);
}
