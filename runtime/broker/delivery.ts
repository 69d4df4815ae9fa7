import type { Msg } from "nats";
import { readAckSubject } from "./ack-subject.js";
import type { Delivery } from "./broker.js";
import type { Loan } from "./in-flight.js";

const ACK = Buffer.from("+ACK");
const NAK = Buffer.from("-NAK");
const TERM = Buffer.from("+TERM");
const WORKING = Buffer.from("+WPI");

/**
 * A pulled message. A class, since there are tens of thousands a second: what is not asked for is not
 * parsed. Its reply subject says where it comes from.
 */
export class PulledMessage implements Delivery {
  readonly stream: string;
  readonly seq: number;
  readonly deliveries: number;
  /** When the broker was last told that it is being worked on, by `performance.now()`. */
  touchedAt: number;
  private readonly nanoseconds: string;
  private readonly loan: Loan;
  private settled = false;

  constructor(
    private readonly message: Msg,
    reply: string,
    now: number,
    lend: (seq: number) => Loan,
  ) {
    const { stream, deliveries, seq, nanoseconds } = readAckSubject(reply);
    this.stream = stream;
    this.deliveries = deliveries;
    this.seq = seq;
    this.nanoseconds = nanoseconds;
    this.touchedAt = now;
    this.loan = lend(seq);
  }

  get subject(): string {
    return this.message.subject;
  }

  get body(): Uint8Array {
    return this.message.data;
  }

  get time(): Date {
    return new Date(Number(this.nanoseconds.slice(0, -6)));
  }

  get headers(): Readonly<Record<string, string>> {
    return headersOf(() => this.message.headers);
  }

  ack(): void {
    this.settle(ACK);
  }

  nak(delayMs: number): void {
    const delay = Math.max(0, Math.round(delayMs * 1_000_000));
    if (this.settle(Buffer.from(`-NAK {"delay":${delay}}`))) this.loan.postpone(delayMs);
  }

  term(): void {
    this.settle(TERM);
  }

  working(): void {
    if (this.settled) return;
    this.touchedAt = performance.now();
    this.message.respond(WORKING);
  }

  /** For another replica, at once. Only for what nobody has looked at. */
  handBack(): void {
    this.settle(NAK);
  }

  private settle(answer: Uint8Array): boolean {
    if (this.settled) return false;
    this.settled = true;
    this.message.respond(answer);
    this.loan.end(this.seq);
    return true;
  }
}

/**
 * The first value of each header, under the name that travelled; none where the client cannot read them (a value with half
 * of a line break): the broker takes any bytes, and a message that nobody could even give up would come for ever.
 */
export function headersOf(read: () => Msg["headers"]): Readonly<Record<string, string>> {
  try {
    const headers = read();
    return Object.fromEntries(headers?.keys().map((name) => [name, headers.get(name)]) ?? []);
  } catch {
    return {};
  }
}
