import type { StreamDefinition } from "../definition.js";
import { isPublishable } from "../subject.js";

/*
 * The broker as the runtime needs it. JetStream implements it for real; the simulator implements it
 * for adversarial schedules; one contract suite holds both to these comments.
 */

export interface OutgoingMessage {
  readonly subject: string;
  /** Becomes `Nats-Msg-Id`: a second publish within the stream's window is stored once. */
  readonly id: string;
  readonly body: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface PublishAck {
  readonly stream: string;
  readonly seq: number;
  /** The stream already held this id. For an outbox that is success. */
  readonly duplicate: boolean;
}

export interface StreamState {
  readonly name: string;
  /** Tells a recreated stream from the one before: the id in its metadata, else its time of creation. */
  readonly created: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly messages: number;
  /** On disk, where the broker says. */
  readonly bytes?: number;
}

export interface ConsumerPlan {
  readonly stream: string;
  readonly durable: string;
  readonly filter: string;
  readonly ackWaitSeconds: number;
  readonly maxAckPending: number;
}

export interface ConsumerState {
  /** Messages of the filter that were never delivered. */
  readonly pending: number;
  /** Delivered, not yet acked. */
  readonly ackPending: number;
  readonly redelivered: number;
  readonly created: string;
  /** Stream sequence of the newest message delivered. When the stream's first is beyond the next one, messages were evicted unread. */
  readonly lastDelivered?: number;
  /**
   * Stream sequence up to which everything delivered is settled. Moves only when something is settled, so it says
   * nothing of messages of other subjects behind it; for a durable that has settled nothing it is the
   * one before the stream's first at its creation: 0 in a new stream, and with nats-server 2.9 in any.
   */
  readonly ackFloor?: number;
}

export interface StoredMessage {
  readonly subject: string;
  readonly stream: string;
  readonly seq: number;
  /** When the stream stored it. */
  readonly time: Date;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** A message on loan. It comes again after the ack wait unless one of these settles it; a second settling does nothing. */
export interface Delivery extends StoredMessage {
  /** 1 for the first delivery. Includes deliveries that a crash or the broker caused. */
  readonly deliveries: number;
  /** Applied: never again. Fire and forget: a lost ack means one redelivery, which the order guard absorbs. */
  ack(): void;
  /** Again, not before the delay. Never call without a delay: bare naks burn through in milliseconds. */
  nak(delayMs: number): void;
  /** Poison, safe elsewhere: never again. Plain, since 2.9 ignores a term with a reason. */
  term(): void;
  /** Still at it: starts the ack wait anew. */
  working(): void;
}

export interface Intake {
  /**
   * Up to `max` messages: at once when any wait, else when one comes, else empty after `waitMs`.
   * Throws `ConsumerGone` when the durable or its stream no longer exists.
   */
  next(max: number, waitMs: number): Promise<readonly Delivery[]>;
  /**
   * How many messages are on loan to this intake: waiting to be taken, taken and not settled, or handed
   * back with a delay that has not passed. What the durable counts beyond that is in other hands. An
   * intake that cannot say leaves it out.
   */
  held?(): number;
  /** Delivered and not taken yet, those first that `next` gives first. */
  buffered(): readonly Delivery[];
  /** Stops asking the broker; what was delivered and not taken is handed back for others. Acks are flushed. */
  stop(): Promise<void>;
}

export interface Broker {
  /** Resolves on the stream's ack; rejects with `PublishFailed` otherwise. */
  publish(message: OutgoingMessage): Promise<PublishAck>;
  /** Largest payload, headers included, that the broker takes; undefined before the first connection. */
  maxPayload(): number | undefined;
  connected(): boolean;
  /** Tells the server of this connection from another, and from itself before it was started anew; undefined where that is not known. */
  instance?(): string | undefined;
  /** Creates the stream where it is missing and we may. Resolves undefined when it is missing and we may not (external, or no permission). */
  ensureStream(plan: StreamDefinition): Promise<StreamState | undefined>;
  streamState(name: string): Promise<StreamState | undefined>;
  /**
   * Creates the durable where it is missing (deliver all, explicit ack, unlimited deliveries), and anew where it stands
   * beyond the end of a stream that lost its newest messages. True when it was created now.
   */
  ensureConsumer(plan: ConsumerPlan): Promise<{ readonly created: boolean; readonly state: ConsumerState }>;
  consumerState(stream: string, durable: string): Promise<ConsumerState | undefined>;
  /** Starts pulling for a durable that exists; prefetches about `prefetch` messages. */
  consume(plan: ConsumerPlan, prefetch: number): Promise<Intake>;
  /** Reads what is stored, in order, without a durable: from `fromSeq` to the last message at the time of the call. */
  replay(stream: string, filter: string, fromSeq: number): AsyncIterable<StoredMessage>;
  /** Called with each change of connection state. Returns the way to stop. */
  onStatus(listener: (status: BrokerStatus) => void): () => void;
  /** Flushes and closes. Stop every intake first: draining under one strands its messages until the ack wait. */
  close(): Promise<void>;
}

export type BrokerStatus =
  | { readonly kind: "connected"; readonly server: string }
  | { readonly kind: "disconnected" }
  | { readonly kind: "error"; readonly message: string };

/** The durable, or its stream, is no longer there. */
export class ConsumerGone extends Error {
  override readonly name = "ConsumerGone";
}

/** The durable stands beyond the end of its stream, which lost messages: nothing is delivered, and we may not mend it. */
export class DurableAhead extends Error {
  override readonly name = "DurableAhead";
}

/** The stream did not confirm. */
export class PublishFailed extends Error {
  override readonly name = "PublishFailed";
  constructor(
    message: string,
    /** `message`: this message can never be taken as it is. `broker`: the broker or stream is in trouble; later may work. */
    readonly fault: "message" | "broker",
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What every broker refuses before it sends anything: a subject that is not one message's, an empty id. */
export function refuseUnpublishable({ subject, id }: OutgoingMessage): PublishFailed | undefined {
  if (!isPublishable(subject)) {
    return new PublishFailed(`${JSON.stringify(subject)} is not the subject of one message`, "message");
  }
  return id === "" ? new PublishFailed(`the message on ${subject} has no id`, "message") : undefined;
}
