import type { StreamState } from "../../runtime/broker/broker.js";
import type { StreamDefinition } from "../../runtime/definition.js";
import { matches } from "../../runtime/subject.js";
import { headerBytes, MESSAGE_ID } from "./headers.js";

/** A message as the stream stored it. `gone` says what became of it; absent while it is still there. */
export interface LoggedMessage {
  readonly stream: string;
  /** Time of creation of the stream that stored it: sequences repeat when a stream is made anew. */
  readonly created: string;
  readonly seq: number;
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly time: Date;
  readonly gone?: Departure;
}

/** `evicted`: by the stream's limits. `purged` and `deleted`: by an operator. `lost`: with the stream's tail. */
export type Departure = "evicted" | "purged" | "lost" | "deleted";

export type Entry = { -readonly [K in keyof LoggedMessage]: LoggedMessage[K] };

/** One incarnation of a stream. Its log outlives it. */
export interface SimulatedStream {
  readonly created: string;
  plan: StreamDefinition;
  /** What is there, in order of sequence. */
  readonly messages: Map<number, Entry>;
  lastSeq: number;
  /** First sequence that may still be there; 0 before the first message, as JetStream has it. */
  firstSeq: number;
  bytes: number;
  /** Ids of the dedupe window, oldest first. */
  readonly window: Map<string, { readonly seq: number; readonly at: number }>;
  readonly log: Entry[];
}

export function createStream(plan: StreamDefinition, created: string, log: Entry[] = []): SimulatedStream {
  return { created, plan, messages: new Map(), lastSeq: 0, firstSeq: 0, bytes: 0, window: new Map(), log };
}

export function stateOf({ plan, created, firstSeq, lastSeq, messages }: SimulatedStream): StreamState {
  return { name: plan.name, created, firstSeq, lastSeq, messages: messages.size };
}

export function takes({ plan }: SimulatedStream, subject: string): boolean {
  return plan.subjects.some((filter) => matches(filter, subject));
}

export interface Incoming {
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** Undefined when the window holds its id already: then `seq` is that message's. */
export function append(
  stream: SimulatedStream,
  { subject, headers, body }: Incoming,
): { readonly seq: number; readonly entry: Entry | undefined } {
  const now = Date.now();
  const id = headers[MESSAGE_ID];
  forgetIds(stream, now);
  const before = id === undefined ? undefined : stream.window.get(id);
  if (before) return { seq: before.seq, entry: undefined };
  stream.lastSeq += 1;
  if (stream.firstSeq === 0) stream.firstSeq = 1;
  const seq = stream.lastSeq;
  const time = new Date(now);
  // Copied: a publisher may use its buffer again, as it may after a real publish.
  const entry: Entry = {
    stream: stream.plan.name,
    created: stream.created,
    seq,
    subject,
    headers: { ...headers },
    body: body.slice(),
    time,
  };
  stream.messages.set(seq, entry);
  stream.log.push(entry);
  stream.bytes += sizeOf(entry);
  if (id !== undefined) stream.window.set(id, { seq, at: now });
  return { seq, entry };
}

function forgetIds({ window, plan }: SimulatedStream, now: number): void {
  for (const [id, { at }] of window) {
    if (now - at < plan.duplicateWindowSeconds * 1_000) return;
    window.delete(id);
  }
}

function sizeOf({ subject, headers, body }: Entry): number {
  return subject.length + headerBytes(headers) + body.length;
}

/** Applies the limits, `discard: old`. Gives the sequences that went. */
export function evict(stream: SimulatedStream): readonly number[] {
  const { maxAgeSeconds, maxMessages, maxBytes } = stream.plan;
  const oldest = Date.now() - maxAgeSeconds * 1_000;
  const evicted: number[] = [];
  for (const entry of stream.messages.values()) {
    const over = isOver(stream.messages.size, maxMessages) || isOver(stream.bytes, maxBytes);
    const stale = maxAgeSeconds > 0 && entry.time.getTime() <= oldest;
    if (!over && !stale) break;
    remove(stream, entry, "evicted");
    evicted.push(entry.seq);
  }
  return evicted;
}

/** Zero and less mean no limit. */
function isOver(is: number, limit: number): boolean {
  return limit > 0 && is > limit;
}

export function remove(stream: SimulatedStream, entry: Entry, why: Departure): void {
  stream.messages.delete(entry.seq);
  stream.bytes -= sizeOf(entry);
  entry.gone = why;
  if (why === "lost" || stream.firstSeq > entry.seq) return;
  const [first] = stream.messages.keys();
  stream.firstSeq = first ?? stream.lastSeq + 1;
}

/** The last messages vanish, and their sequences and ids are free again: the server that starts up has never seen them. */
export function loseTail(stream: SimulatedStream, count: number): void {
  const down = Math.max(0, stream.lastSeq - count);
  for (const entry of [...stream.messages.values()]) if (entry.seq > down) remove(stream, entry, "lost");
  for (const [id, { seq }] of stream.window) if (seq > down) stream.window.delete(id);
  stream.lastSeq = down;
  const [first] = stream.messages.keys();
  stream.firstSeq = first ?? (down === 0 ? 0 : down + 1);
}
