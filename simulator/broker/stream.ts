import type { StreamDefinition, StreamState } from "@meshwright/runtime";
import { matches } from "@meshwright/runtime/simulation";
import { headerBytes, MESSAGE_ID } from "./headers.js";

/** A message as the stream stored it. `gone` says why it is no longer there; absent while it is. */
export interface LoggedMessage {
  readonly stream: string;
  /** When the stream that stored it was created: sequences repeat after a stream is recreated. */
  readonly created: string;
  readonly seq: number;
  readonly subject: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly time: Date;
  readonly gone?: Removal;
}

/** `evicted`: by the stream's limits. `purged`, `deleted`: by an operator. `lost`: with the stream's tail. */
export type Removal = "evicted" | "purged" | "lost" | "deleted";

export type Entry = { -readonly [K in keyof LoggedMessage]: LoggedMessage[K] };

/** A stream from its creation to its deletion. Its log is kept longer. */
export interface SimulatedStream {
  readonly created: string;
  plan: StreamDefinition;
  /** The stored messages, in order of sequence. */
  readonly messages: Map<number, Entry>;
  lastSeq: number;
  /** The first sequence that may still be stored; 0 before the first message, as in JetStream. */
  firstSeq: number;
  bytes: number;
  /** The message ids of the dedupe window, oldest first. */
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

/** `entry` is undefined for a duplicate within the dedupe window; `seq` is then the first message's. */
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
  // Copied: a publisher may reuse its buffer, as after a real publish.
  const entry: Entry = {
    stream: stream.plan.name,
    created: stream.created,
    seq,
    subject,
    headers: { ...headers },
    body: body.slice(),
    time,
  };
  if (stream.plan.deadLetters)
    for (const former of [...stream.messages.values()])
      if (former.subject === subject) remove(stream, former, "evicted");
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

/** Applies the limits with `discard: old`. Returns the removed sequences. */
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

/** A limit of zero or less is none. */
function isOver(is: number, limit: number): boolean {
  return limit > 0 && is > limit;
}

export function remove(stream: SimulatedStream, entry: Entry, why: Removal): void {
  stream.messages.delete(entry.seq);
  stream.bytes -= sizeOf(entry);
  entry.gone = why;
  if (why === "lost" || stream.firstSeq > entry.seq) return;
  const [first] = stream.messages.keys();
  stream.firstSeq = first ?? stream.lastSeq + 1;
}

/** The last messages vanish; their sequences and ids can be used again, as the restarted server never saw them. */
export function loseTail(stream: SimulatedStream, count: number): void {
  const end = Math.max(0, stream.lastSeq - count);
  for (const entry of [...stream.messages.values()]) if (entry.seq > end) remove(stream, entry, "lost");
  for (const [id, { seq }] of stream.window) if (seq > end) stream.window.delete(id);
  stream.lastSeq = end;
  const [first] = stream.messages.keys();
  stream.firstSeq = first ?? (end === 0 ? 0 : end + 1);
}
