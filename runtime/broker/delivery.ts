import { type Msg, MsgHdrsImpl } from "nats";
import { nanosecondsOf, readAckSubject, streamOf } from "./ack-subject.js";
import type { Delivery } from "./broker.js";
import { type InFlight, timeOf } from "./in-flight.js";

/** Hands a message back; the broker redelivers it after the delay. */
export function nakAfter(delayMs: number): Uint8Array {
  const delay = Math.max(0, Math.round(delayMs * 1_000_000));
  return Buffer.from(`-NAK {"delay":${delay}}`);
}

const ACK = Buffer.from("+ACK");
const NAK = Buffer.from("-NAK");
const TERM = Buffer.from("+TERM");
const WORKING = Buffer.from("+WPI");

/** Sends what has become of a message to its reply subject. */
export type Answer = (reply: string, answer: Uint8Array) => void;

/** The client's messages tell what its interface does not: the bytes of subject, reply subject, headers and payload together. */
interface SizedMessage extends Msg {
  size(): number;
}

/**
 * A pulled message. A class, since there are tens of thousands a second: headers, stream and time are parsed only when they are read.
 * Its reply subject holds its sequence and its number of deliveries. The client's own message is let go: thousands wait here at a
 * time, and each object of theirs outlives the young generation, whose collection would take a quarter of the process.
 */
export class PulledMessage implements Delivery {
  readonly seq: number;
  readonly deliveries: number;
  readonly consumerSeq: number;
  readonly subject: string;
  readonly body: Uint8Array;
  /** When the broker last heard of it from us, by `performance.now()`. */
  touchedAt: number;
  private readonly bytes: number;
  private readonly inFlight: InFlight;
  private settled = false;

  constructor(
    message: Msg,
    private readonly reply: string,
    now: number,
    begin: (seq: number, message: PulledMessage) => InFlight,
    private readonly answer: Answer,
  ) {
    const { deliveries, seq, consumerSeq } = readAckSubject(reply);
    this.deliveries = deliveries;
    this.seq = seq;
    this.consumerSeq = consumerSeq;
    this.subject = message.subject;
    // Each time it is read, the client makes another view of its buffer.
    this.body = message.data;
    this.bytes = (message as SizedMessage).size();
    this.touchedAt = now;
    this.inFlight = begin(seq, this);
  }

  get stream(): string {
    return streamOf(this.reply);
  }

  get nanoseconds(): string {
    return nanosecondsOf(this.reply);
  }

  get time(): Date {
    return timeOf(this.nanoseconds);
  }

  get headers(): Readonly<Record<string, string>> {
    const { subject, reply, body, bytes } = this;
    const length = bytes - Buffer.byteLength(subject) - Buffer.byteLength(reply) - body.length;
    // In the buffer they stand before the body.
    return headersOf(() => MsgHdrsImpl.decode(Buffer.from(body.buffer, body.byteOffset - length, length)));
  }

  ack(): void {
    this.settle(ACK);
  }

  nak(delayMs: number): void {
    if (this.settle(nakAfter(delayMs))) this.inFlight.postpone(this.seq, delayMs, this.nanoseconds);
  }

  term(): void {
    this.settle(TERM);
  }

  working(): void {
    if (this.settled) return;
    this.touchedAt = performance.now();
    this.answer(this.reply, WORKING);
  }

  /** Redelivers it to another replica at once. Only for a message that nobody has taken. */
  handBack(): void {
    this.settle(NAK);
  }

  private settle(answer: Uint8Array): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.answer(this.reply, answer);
    this.inFlight.end(this.seq);
    return true;
  }
}

/**
 * The first value of each header, under the name that was sent. No headers where the client cannot parse them, such as a value with
 * half of a line break: the broker accepts any bytes, and a message that throws here would be redelivered for ever.
 */
export function headersOf(read: () => Msg["headers"]): Readonly<Record<string, string>> {
  try {
    const headers = read();
    return Object.fromEntries(headers?.keys().map((name) => [name, headers.get(name)]) ?? []);
  } catch {
    return {};
  }
}
