import { createHash } from "node:crypto";
import { activeTraceparent } from "./active-span.js";

/*
 * What an event says of what caused it, in headers of its message. A transaction sets its cause (`mesh.set_cause`), and the events that
 * it writes take it over: each names the event that caused it, and a whole cascade has one correlation id and one trace id.
 */

/** Headers of what follows; each is plain printable ASCII. */
export interface Cause {
  /** `metadata.event_id` of the event that caused it, encoded as the id of a subject is. Absent: no event did. */
  readonly "Mesh-Causation-Id"?: string;
  /** The same from the first event of a chain to its last. Absent: the event begins one, and its own id is the correlation id. */
  readonly "Mesh-Correlation-Id"?: string;
  /** W3C Trace Context, level 1. */
  readonly traceparent?: string;
}

/** Longest id in a header: three headers fit the bytes that the outbox leaves for them. */
const LONGEST_ID = 128;
const PRINTABLE = /^[!-~]+$/;
/** Printable, and without a percent sign. */
const PLAIN_ID = /^[!-$&-~]+$/;
const TRACEPARENT =
  /^(?!ff)([0-9a-f]{2})-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(-[!-~]*)?$/;

/** What is caused by an event, by the headers of its message. Its own id where it does not tell a correlation; a trace id made of that where it tells none. */
export function causeOfEvent(eventId: string, headers: Readonly<Record<string, string>>): Cause {
  const id = headerId(eventId);
  const correlation = givenId(headerOf(headers, "Mesh-Correlation-Id")) ?? id;
  const said = validTraceparent(headerOf(headers, "traceparent"));
  const active = activeTraceparent();
  // Of an event that is applied alone, the span that does so; a batch's is of another trace.
  const isOfTrace = said !== undefined && active?.slice(0, 35) === said.slice(0, 35);
  const traceparent = isOfTrace ? active : (said ?? madeTraceparent(correlation, id));
  return {
    ...(id === undefined ? {} : { "Mesh-Causation-Id": id }),
    ...(correlation === undefined ? {} : { "Mesh-Correlation-Id": correlation }),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

/** What is caused by an HTTP request: its span where one is active, else what its own headers say and are valid. Undefined: nothing. */
export function causeOfRequest(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Cause | undefined {
  const traceparent = activeTraceparent() ?? validTraceparent(headers.traceparent);
  const correlation = givenId(headers["mesh-correlation-id"]);
  if (traceparent === undefined && correlation === undefined) return undefined;
  return {
    ...(correlation === undefined ? {} : { "Mesh-Correlation-Id": correlation }),
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

/** The value of a `traceparent` header in the form of version 00; undefined for what is none. */
export function validTraceparent(value: unknown): string | undefined {
  const found = typeof value === "string" && value.length <= 256 ? TRACEPARENT.exec(value.trim()) : null;
  // Version 00 has nothing after its flags; what later versions add there is not for us.
  if (found === null || (found[1] === "00" && found[3] !== undefined)) return undefined;
  return `00-${found[2]}`;
}

/** An event id as a header holds it; undefined for one that is too long. */
export function headerId(id: string): string | undefined {
  if (id.length > LONGEST_ID) return undefined;
  if (PLAIN_ID.test(id)) return id;
  const encoded = Buffer.from(id, "utf8").reduce((text, byte) => {
    const plain = byte > 32 && byte < 127 && byte !== 37;
    return (
      text + (plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`)
    );
  }, "");
  return encoded !== "" && encoded.length <= LONGEST_ID ? encoded : undefined;
}

function givenId(value: unknown): string | undefined {
  return typeof value === "string" && value.length <= LONGEST_ID && PRINTABLE.test(value) ? value : undefined;
}

/** Names of NATS headers keep their case; a foreign publisher may write others. */
export function headerOf(headers: Readonly<Record<string, string>>, name: string): string | undefined {
  const exact = headers[name];
  if (exact !== undefined) return exact;
  const wanted = name.toLowerCase();
  for (const key of Object.keys(headers)) if (key.toLowerCase() === wanted) return headers[key];
  return undefined;
}

/** A trace that nobody recorded, hence not sampled: its id is made of the correlation id, the id of its span of the event's. */
function madeTraceparent(correlation: string | undefined, id: string | undefined): string | undefined {
  if (correlation === undefined || id === undefined) return undefined;
  return validTraceparent(`00-${digitsOf(correlation)}-${digitsOf(id).slice(16)}-00`);
}

/** 32 hexadecimal digits: those of a uuid, else of a digest. */
function digitsOf(id: string): string {
  return /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(id)
    ? id.replaceAll("-", "").toLowerCase()
    : createHash("sha256").update(id).digest("hex").slice(0, 32);
}
