import type { Pool } from "pg";
import type { Broker, ConsumerState, StreamState } from "../broker/broker.js";
import type { ServiceDefinition } from "../definition/service-definition.js";
import { openDeadLetterStream } from "../stateless/dead-letter-stream.js";
import { messageOf } from "../text/error-message.js";
import { answerWithin } from "./answer-within.js";
import { readLagSeconds } from "./lag.js";
import { type HealthStatus, readHealth } from "./service-health.js";
import { readStored, type StoredConsumer, type StoredStatus } from "./stored-status.js";

/** What an operator asks of one service, read from its database and, where given, from broker and process. */
export interface ServiceStatus extends Partial<Omit<StoredStatus, "consumers">> {
  readonly service: string;
  /** The running service's own `/readyz`; absent when it was not asked. */
  readonly health?: HealthStatus;
  /** What was asked and did not answer, and why: what it knows is absent. */
  readonly unanswered?: Unanswered;
  /** Its own stream; null where the broker has none of that name; absent where the service has none, or no broker was asked. */
  readonly stream?: StreamState | null;
  /** Of a database that answers, none until its mesh schema is migrated. */
  readonly consumers: readonly ConsumerStatus[];
}

export interface Unanswered {
  readonly database?: string;
  readonly broker?: string;
}

/** One durable: how far it is, and what it could not apply. */
export interface ConsumerStatus extends Partial<StoredConsumer>, AskedConsumer {
  readonly durable: string;
  readonly stream: string;
  /** Table of the copy that it keeps; absent where it keeps none. */
  readonly copy?: string;
}

/** What the broker knows; empty where it was not asked, or did not answer. */
export interface AskedConsumer {
  /** Whether the stream exists. */
  readonly streamFound?: boolean;
  /** Absent where the broker does not know the durable. */
  readonly broker?: ConsumerState;
  /** Age of the oldest event that is not applied; null where none waits. Absent where `broker` is. */
  readonly lagSeconds?: number | null;
}

/** Which service, and whom to ask beside its database. */
export interface StatusOptions {
  readonly definition: ServiceDefinition;
  /** Of the service's database; absent where it has none. */
  readonly pool?: Pool;
  /** Also asks the broker about stream and durables. */
  readonly broker?: Broker;
  /** Of the running service: also asks its `/readyz`. */
  readonly url?: string | undefined;
}

/**
 * The status of a service from its database, the broker and its `/readyz`, which are asked at once. The service need not run; what does
 * not answer in time holds up nothing else.
 */
export async function serviceStatus(options: StatusOptions): Promise<ServiceStatus> {
  const { definition, pool, broker, url } = options;
  const [stored, known, health] = await Promise.all([
    pool && definition.database && orReason(readStored(definition, definition.database, pool)),
    broker && orReason(askAll(definition, broker)),
    url === undefined ? undefined : readHealth(url),
  ]);
  const { consumers, ...figures } = stored?.answer ?? {};
  const { stream, consumers: asked } = known?.answer ?? {};
  const isMigrated = stored?.answer === undefined || consumers !== undefined;
  const [database, ofBroker] = [stored?.reason, known?.reason];
  return {
    service: definition.name,
    ...(health && { health }),
    ...(database === undefined && ofBroker === undefined
      ? {}
      : { unanswered: { ...(database && { database }), ...(ofBroker && { broker: ofBroker }) } }),
    ...figures,
    ...(stream === undefined ? {} : { stream }),
    consumers: isMigrated
      ? subscriptionsOf(definition).map(({ durable, stream: { name }, copy }) => ({
          durable,
          stream: name,
          ...(copy === undefined ? {} : { copy }),
          ...asked?.get(durable),
          ...consumers?.get(durable),
        }))
      : [],
  };
}

/** Why there is no answer, beside the answer: the next source is asked all the same. */
async function orReason<T>(asked: Promise<T>): Promise<{ readonly answer?: T; readonly reason?: string }> {
  try {
    return { answer: await answerWithin(asked) };
  } catch (error) {
    const { code } = error as { readonly code?: string };
    return { reason: messageOf(error) || code || "unknown" };
  }
}

interface Subscribed {
  readonly durable: string;
  readonly stream: { readonly name: string };
  readonly filter: string;
  readonly copy?: string;
}

function subscriptionsOf({ consumers, stateless }: ServiceDefinition): readonly Subscribed[] {
  return [
    ...consumers.map(({ durable, stream, filter, cache }) => ({
      ...{ durable, stream, filter },
      ...(cache && { copy: cache.name }),
    })),
    ...(stateless?.consumers ?? []),
  ];
}

interface Asked {
  readonly stream?: StreamState | null;
  readonly consumers: ReadonlyMap<string, AskedConsumer & Partial<StoredConsumer>>;
}

async function askAll(definition: ServiceDefinition, broker: Broker): Promise<Asked> {
  const { stream, stateless } = definition;
  const letters = stateless && openDeadLetterStream(broker, stateless.deadLetters);
  const [state, dead, waiting, consumers] = await Promise.all([
    stream && broker.streamState(stream.name),
    letters?.count("dead").catch(() => undefined),
    letters?.count("attempt").catch(() => undefined),
    Promise.all(
      subscriptionsOf(definition).map(async (each) => [each.durable, await askOne(each, broker)] as const),
    ),
  ]);
  // A service without a database keeps its letters and attempts on the broker.
  const kept = (durable: string) =>
    letters === undefined
      ? {}
      : {
          ...{ lastSeq: null, snapshot: null },
          deadLetters: dead?.get(durable) ?? 0,
          attemptsWaiting: waiting?.get(durable) ?? 0,
        };
  return {
    ...(stream === undefined ? {} : { stream: state ?? null }),
    consumers: new Map(consumers.map(([durable, one]) => [durable, { ...one, ...kept(durable) }])),
  };
}

async function askOne({ durable, stream, filter }: Subscribed, broker: Broker): Promise<AskedConsumer> {
  const [state, found] = await Promise.all([
    broker.consumerState(stream.name, durable),
    broker.streamState(stream.name),
  ]);
  return {
    streamFound: found !== undefined,
    ...(state === undefined
      ? {}
      : { broker: state, lagSeconds: await readLagSeconds(broker, { stream: stream.name, filter }, state) }),
  };
}
