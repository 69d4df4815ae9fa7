/*
 * The reply subject of a delivered message, to which it is acked:
 * `$JS.ACK.<stream>.<durable>.<deliveries>.<stream seq>.<consumer seq>.<nanoseconds>.<pending>`,
 * with `<domain>.<account>` after `ACK`, and a random token at the end, from newer servers.
 */

export interface AckSubject {
  readonly stream: string;
  readonly deliveries: number;
  readonly seq: number;
  /** Number of this delivery among all of its durable, from 1. */
  readonly consumerSeq: number;
  /** When the stream stored it, in nanoseconds since 1970, as text: too many digits for a double. */
  readonly nanoseconds: string;
}

export function readAckSubject(reply: string): AckSubject {
  const tokens = reply.split(".");
  const at = streamAt(tokens);
  return {
    stream: tokens[at] ?? "",
    deliveries: Number(tokens[at + 2]),
    seq: Number(tokens[at + 3]),
    consumerSeq: Number(tokens[at + 4]),
    nanoseconds: tokens[at + 5] ?? "0",
  };
}

/** The ack subject of another message of the same durable. The broker takes any consumer sequence that was delivered. */
export function ackSubjectOf(
  reply: string,
  { seq, consumerSeq }: { readonly seq: number; readonly consumerSeq: number },
): string {
  const tokens = reply.split(".");
  const at = streamAt(tokens);
  tokens[at + 3] = String(seq);
  tokens[at + 4] = String(consumerSeq);
  return tokens.join(".");
}

function streamAt(tokens: readonly string[]): number {
  return tokens.length >= 11 ? 4 : 2;
}
