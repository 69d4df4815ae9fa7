import type { StreamDefinition } from "../definition/stream-definition.js";
import { isPublishable } from "../subject.js";
import { messageOf } from "../text/error-message.js";

/*
 * The broker as the runtime needs it. JetStream implements it for real; the simulator implements it
 * for adversarial schedules; one contract suite holds both to these comments.
 */

/** A message to publish. `body` and headers together are at most the broker's `maxPayload()` bytes. */
export interface OutgoingMessage {
  readonly subject: string;
  /** Becomes `Nats-Msg-Id`: a second publish within the stream's window is stored once. */
  readonly id: string;
  readonly body: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** JetStream's answer to a stored message: where it stands. */
export interface PublishAck {
  readonly stream: string;
  readonly seq: number;
  /** The stream already held this id. For an outbox that is success. */
  readonly duplicate: boolean;
}

/** What has become of a publish. Must not throw. */
export type OnSettled = (outcome: PublishAck | PublishFailed) => void;

/** A stream as the broker has it. Sequences begin at 1; an empty stream's `lastSeq` is `firstSeq` - 1. */
export interface StreamState {
  readonly name: string;
  /** Differs in a stream that was created again: the id in its metadata, else its time of creation. */
  readonly created: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly messages: number;
  /** Size on disk, where the broker tells it. */
  readonly bytes?: number;
}

/** A durable pull consumer as the file wants it: one per service and subscribed entity. */
export interface ConsumerPlan {
  readonly stream: string;
  readonly durable: string;
  readonly filter: string;
  readonly ackWaitSeconds: number;
  readonly maxAckPending: number;
  /** Undelivered messages from which `nats server check` calls it critical. Absent: no number does. */
  readonly unprocessedLimit?: number | undefined;
}

/** A durable as the broker has it. Counts are of messages, over all replicas. */
export interface ConsumerState {
  /** Messages that match the filter and were never delivered. */
  readonly pending: number;
  /** Delivered, not yet acked. */
  readonly ackPending: number;
  readonly redelivered: number;
  readonly created: string;
  /** Stream sequence of the newest delivered message. A first sequence above the next one means that messages were evicted unread. */
  readonly lastDelivered?: number;
  /**
   * Stream sequence up to which every delivered message is settled. The broker moves it only when a message is settled, so messages of
   * other subjects may follow it. For a durable that has settled nothing it is one below the stream's first sequence at
   * the durable's creation: 0 in a new stream, and with nats-server 2.9 in every stream.
   */
  readonly ackFloor?: number;
  /** Number of the first delivery of the message at `ackFloor` among all of the durable: the next one in flight has one more. */
  readonly ackFloorConsumerSeq?: number;
}

/** A message as the stream holds it. */
export interface StoredMessage {
  readonly subject: string;
  readonly stream: string;
  readonly seq: number;
  /** When the stream stored it. */
  readonly time: Date;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** The message of a sequence, the last one on a subject, or the first one of a filter above a sequence. */
export type StoredPlace =
  | { readonly seq: number }
  | { readonly last: string }
  | { readonly after: number; readonly filter: string };

/**
 * A message in flight. It is redelivered after the ack wait unless `ack`, `nak` or `term` settles it; a second call of these
 * does nothing.
 */
export interface Delivery extends StoredMessage {
  /** Number of this delivery, from 1. Counts redeliveries of every cause: ack wait, nak, crash, broker. */
  readonly deliveries: number;
  /** Number of this delivery among all of its durable, from 1. Absent where the broker cannot tell. */
  readonly consumerSeq?: number;
  /** Applied: never redelivered. Fire and forget: a lost ack means one redelivery, which the order guard absorbs. */
  ack(): void;
  /** Redelivered after the delay in ms. Without a delay a failing message would be redelivered thousands of times a second. */
  nak(delayMs: number): void;
  /** Never redelivered: the message is a dead letter. Sent without a reason, since nats-server 2.9 ignores a term with one. */
  term(): void;
  /** Still being applied: starts the ack wait again. */
  working(): void;
}

/** The messages of one durable that this process has asked for. */
export interface PullSubscription {
  /**
   * Up to `max` messages: at once where any are buffered, else when one is delivered, else none after `waitMs`.
   * Rejects with `ConsumerGone` when the durable or its stream no longer exists.
   */
  next(max: number, waitMs: number): Promise<readonly Delivery[]>;
  /**
   * Messages outstanding here: buffered, taken and not settled, or handed back with a delay that has not passed. What the
   * durable counts beyond that is outstanding at other replicas. Absent where the broker cannot tell.
   */
  outstanding?(): number;
  /** When the stream stored the oldest of those; undefined where there is none. Absent where the broker cannot tell. */
  oldest?(): Date | undefined;
  /** Delivered and not taken yet, in the order in which `next` returns them. */
  buffered(): readonly Delivery[];
  /** Sends no more pulls, hands back what is buffered for other replicas, and flushes the acks. */
  stop(): Promise<void>;
}

/** JetStream behind one port, which the real client and the simulated one implement. Without an answer a question rejects after 5 s. */
export interface Broker {
  /** Resolves on the stream's ack; rejects with `PublishFailed` otherwise. */
  publish(message: OutgoingMessage): Promise<PublishAck>;
  /**
   * As `publish`, but tells `onSettled`, once, and before it returns where nothing can be sent. For the relay, which has a thousand in
   * flight: a promise for each would be a fifth of its work.
   */
  send(message: OutgoingMessage, onSettled: OnSettled): void;
  /** Largest payload, headers included, that the broker takes; undefined before the first connection. */
  maxPayload(): number | undefined;
  connected(): boolean;
  /** Id of the connected server's process: differs after a restart, and between the servers of a cluster. Undefined where it is not known. */
  instance?(): string | undefined;
  /** Creates the stream where it is missing. Resolves to undefined where it is missing and this user may not (external, or no permission). */
  ensureStream(plan: StreamDefinition): Promise<StreamState | undefined>;
  streamState(name: string): Promise<StreamState | undefined>;
  /**
   * Creates the durable where it is missing (deliver all, explicit ack, unlimited deliveries), and again where it stands
   * past the end of a stream that lost its newest messages. `created` is true where this call created it.
   */
  ensureConsumer(plan: ConsumerPlan): Promise<{ readonly created: boolean; readonly state: ConsumerState }>;
  consumerState(stream: string, durable: string): Promise<ConsumerState | undefined>;
  /** Pulls for a durable that exists. Keeps about `prefetch` messages buffered. */
  consume(plan: ConsumerPlan, prefetch: number): Promise<PullSubscription>;
  /** Reads stored messages in order, without a durable: from `fromSeq` to the last one at the time of the call. */
  replay(stream: string, filter: string, fromSeq: number): AsyncIterable<StoredMessage>;
  /** The message at a place; undefined where the stream has none there. Rejects where it may not be read. */
  storedMessage(stream: string, at: StoredPlace): Promise<StoredMessage | undefined>;
  /** False where the stream has no such message. */
  deleteMessage(stream: string, seq: number): Promise<boolean>;
  /** Subjects that the stream has messages of, among those that the filter covers. */
  subjectsOf(stream: string, filter: string): Promise<readonly string[]>;
  /** Calls `listener` with each change of the connection's state, until the returned function is called. */
  onStatus(listener: (status: BrokerStatus) => void): () => void;
  /** Flushes and closes. Stop every pull subscription first: what it has buffered is otherwise redelivered only after the ack wait. */
  close(): Promise<void>;
}

/** A change of the connection's state. `server` is the URL of the server that took it. */
export type BrokerStatus =
  | { readonly kind: "connected"; readonly server: string }
  | { readonly kind: "disconnected" }
  | { readonly kind: "error"; readonly message: string };

/** The durable or its stream no longer exists. */
export class ConsumerGone extends Error {
  override readonly name = "ConsumerGone";
}

/** The durable stands past the end of a stream that lost messages: nothing is delivered, and this user may not create it again. */
export class DurablePastEnd extends Error {
  override readonly name = "DurablePastEnd";
}

/** The stream did not confirm. */
export class PublishFailed extends Error {
  override readonly name = "PublishFailed";
  constructor(
    message: string,
    /** `message`: the broker never takes this message as it is. `broker`: the broker or the stream is in trouble, a retry may succeed. */
    readonly fault: "message" | "broker",
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** `send` by way of promises. */
export function sendBy(publish: Broker["publish"]): Broker["send"] {
  return (message, onSettled) => void publish(message).catch(asPublishFailed).then(onSettled);
}

function asPublishFailed(cause: unknown): PublishFailed {
  return cause instanceof PublishFailed ? cause : new PublishFailed(messageOf(cause), "broker", { cause });
}

/** What every broker refuses before it sends anything: a subject that is not one message's, an empty id. */
export function refuseUnpublishable({ subject, id }: OutgoingMessage): PublishFailed | undefined {
  if (!isPublishable(subject)) {
    return new PublishFailed(`${JSON.stringify(subject)} is not the subject of one message`, "message");
  }
  return id === "" ? new PublishFailed(`the message on ${subject} has no id`, "message") : undefined;
}
