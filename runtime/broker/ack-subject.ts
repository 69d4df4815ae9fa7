/*
 * The reply subject of a delivered message, to which it is acked:
 * `$JS.ACK.<stream>.<durable>.<deliveries>.<stream seq>.<consumer seq>.<nanoseconds>.<pending>`,
 * with `<domain>.<account>` after `ACK`, and a random token at the end, from newer servers.
 */

export interface AckSubject {
  readonly deliveries: number;
  readonly seq: number;
  /** Number of this delivery among all of its durable, from 1. */
  readonly consumerSeq: number;
}

/** Looks for the dots alone: there are tens of thousands a second, and a text for each token took as long as reading the message. */
export function readAckSubject(reply: string): AckSubject {
  const deliveries = afterDots(reply, streamAt(reply), 2);
  const seq = afterDots(reply, deliveries, 1);
  const consumerSeq = afterDots(reply, seq, 1);
  return {
    deliveries: numberAt(reply, deliveries),
    seq: numberAt(reply, seq),
    consumerSeq: numberAt(reply, consumerSeq),
  };
}

export function streamOf(reply: string): string {
  return tokenAt(reply, streamAt(reply));
}

/** When the stream stored it, in nanoseconds since 1970, as text: too many digits for a double. */
export function nanosecondsOf(reply: string): string {
  return tokenAt(reply, afterDots(reply, streamAt(reply), 5)) || "0";
}

function streamAt(reply: string): number {
  return afterDots(reply, 0, countDots(reply) >= 10 ? 4 : 2);
}

const DOT = 0x2e;
const ZERO = 0x30;

function countDots(text: string): number {
  let count = 0;
  for (let at = text.indexOf("."); at !== -1; at = text.indexOf(".", at + 1)) count += 1;
  return count;
}

/** Where the token begins that follows so many dots. */
function afterDots(text: string, from: number, dots: number): number {
  let at = from;
  for (let left = dots; left > 0; left -= 1) {
    const dot = text.indexOf(".", at);
    if (dot === -1) return text.length;
    at = dot + 1;
  }
  return at;
}

function tokenAt(text: string, from: number): string {
  const dot = text.indexOf(".", from);
  return text.slice(from, dot === -1 ? text.length : dot);
}

/** NaN for what is no whole number. */
function numberAt(text: string, from: number): number {
  let value = 0;
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === DOT) return at === from ? Number.NaN : value;
    value = value * 10 + (code >= ZERO && code < ZERO + 10 ? code - ZERO : Number.NaN);
  }
  return from < text.length ? value : Number.NaN;
}

/** The ack subject of another message of the same durable. The broker takes any consumer sequence that was delivered. */
export function ackSubjectOf(
  reply: string,
  { seq, consumerSeq }: { readonly seq: number; readonly consumerSeq: number },
): string {
  const tokens = reply.split(".");
  const at = tokens.length >= 11 ? 4 : 2;
  tokens[at + 3] = String(seq);
  tokens[at + 4] = String(consumerSeq);
  return tokens.join(".");
}
