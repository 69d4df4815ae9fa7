import {
  answerWithin,
  findTasks,
  findWaiting,
  lettersInStream,
  matches,
  messageOf,
  type OwnerTrace,
  type Standing,
  type SubscriberTrace,
  standingOf,
  traceOwner,
  traceSubscriber,
  type WaitingEvent,
} from "@meshwright/runtime";
import type { Consumer, Service } from "../../model/mesh.js";
import { quietLogger } from "../../terminal/terminal.js";
import { causationIdOf, causedIn, eventsOfEntity, type FoundEvent, streamOfService } from "./read-events.js";
import type { TraceSources, Unreachable } from "./trace-sources.js";

/*
 * One entity's way through a running mesh: its owner, its stream, each subscriber, and what its event caused there, hop by hop. What
 * cannot be asked says so, and the rest is shown all the same.
 */

/** One durable. */
export interface TracedSubscriber {
  readonly service: string;
  readonly durable: string;
  readonly standing: Standing;
  /** Undefined of a service without a database. */
  readonly trace?: SubscriberTrace | Unreachable;
}

/** What an event caused: an event, or what is to become one. */
export type Consequence =
  | { readonly kind: "event"; readonly event: FoundEvent; readonly caused: readonly Consequence[] }
  | { readonly kind: "outbox"; readonly service: string; readonly event: WaitingEvent }
  | {
      readonly kind: "task";
      readonly service: string;
      readonly task: SubscriberTrace["tasks"][number];
    };

export interface EntityTrace {
  /** `auth.user` */
  readonly entity: string;
  readonly id: string;
  /** Undefined where the owner is external. */
  readonly owner:
    | (OwnerTrace & { readonly service: string })
    | (Unreachable & { readonly service: string })
    | undefined;
  readonly stream:
    | { readonly name: string; readonly events: readonly FoundEvent[] }
    | Unreachable
    | undefined;
  /** The event that is followed: the one that was asked for, else the newest. */
  readonly event: FoundEvent | undefined;
  readonly subscribers: readonly TracedSubscriber[];
  readonly caused: readonly Consequence[];
}

export interface Asked {
  readonly entity: string;
  readonly id: string;
  /** The event to follow. Default: the newest. */
  readonly eventId?: string;
}

/** All sources are asked at once: who does not answer is named, and costs no more than its own time. */
export async function traceEntity(
  sources: TraceSources,
  { entity, id, eventId }: Asked,
): Promise<EntityTrace> {
  const { mesh, hearersOfEntity } = sources.flow;
  const ownerName = entity.slice(0, entity.indexOf("."));
  const owner = mesh.services.find(({ name }) => name === ownerName);
  const reading = readStream(sources, { entity, id, ownerName });
  const [stream, owned, subscribers, caused] = await Promise.all([
    reading,
    owner && !owner.external ? askOwner(sources, owner, { entity, id }) : undefined,
    Promise.all(
      hearersOfEntity(entity).map(({ service, consumer }) =>
        traceOne(sources, { service, consumer, id, eventId, reading }),
      ),
    ),
    reading.then((found) => {
      const root = followed(found, eventId);
      return root === undefined ? [] : consequencesOf(sources, entity, root);
    }),
  ]);
  return { entity, id, owner: owned, stream, event: followed(stream, eventId), subscribers, caused };
}

function followed(stream: EntityTrace["stream"], eventId: string | undefined): FoundEvent | undefined {
  const events = stream !== undefined && "events" in stream ? stream.events : [];
  return eventId === undefined ? events.at(-1) : events.find((one) => one.eventId === eventId);
}

async function readStream(
  { flow, reader: opening }: TraceSources,
  { entity, id, ownerName }: { readonly entity: string; readonly id: string; readonly ownerName: string },
): Promise<EntityTrace["stream"]> {
  const name = streamOfService(flow.mesh, ownerName)?.name;
  if (name === undefined) return undefined;
  const reader = await opening;
  if ("unreachable" in reader) return reader;
  try {
    return { name, events: await eventsOfEntity(reader, { flow, entity, id }) };
  } catch (error) {
    return { unreachable: `${name}: ${messageOf(error)}` };
  }
}

async function askOwner(
  { databases }: TraceSources,
  service: Service,
  asked: { readonly entity: string; readonly id: string },
): Promise<NonNullable<EntityTrace["owner"]>> {
  const { name } = service;
  // It may own events that no table implies, and have no database.
  if (service.database === undefined)
    return { service: name, version: null, waiting: [], refused: [], moments: [] };
  try {
    const found = await databases.ask(service, ({ pool, definition }) => traceOwner(pool, definition, asked));
    return { service: name, ...found };
  } catch (error) {
    return { service: name, unreachable: messageOf(error) };
  }
}

/** What an owner publishes twice without a version is applied once, by its id. */
function isFirstOfItsId({ version, eventId }: FoundEvent, at: number, all: readonly FoundEvent[]): boolean {
  return version !== null || eventId === null || all.findIndex((one) => one.eventId === eventId) === at;
}

interface AskedOne {
  readonly service: Service;
  readonly consumer: Consumer;
  readonly id: string;
  readonly eventId: string | undefined;
  readonly reading: Promise<EntityTrace["stream"]>;
}

/** Where the newest event that it hears stands at one durable, or the one that was asked for. */
async function traceOne(sources: TraceSources, asked: AskedOne): Promise<TracedSubscriber> {
  const { service, consumer, eventId, reading } = asked;
  const { durable, filter } = consumer;
  const named = { service: service.name, durable };
  const [stored, durableState, stream] = await Promise.all([
    askSubscriber(sources, asked).catch((error: unknown) => ({ unreachable: messageOf(error) })),
    answerWithin(sources.broker.consumerState(consumer.stream, durable)).catch(() => undefined),
    reading,
  ]);
  if ("unreachable" in stored) return { ...named, standing: { kind: "unknown" }, trace: stored };
  const events = stream !== undefined && "events" in stream ? stream.events : [];
  const heard = events.filter(({ subject }) => matches(filter, subject)).filter(isFirstOfItsId);
  const event = eventId === undefined ? heard.at(-1) : heard.find((one) => one.eventId === eventId);
  const isHeard = event !== undefined || followed(stream, eventId) === undefined;
  const facts = { event, seqs: heard.map(({ seq }) => seq), durable: durableState };
  const keeps = service.database !== undefined && !service.external;
  const standing: Standing = isHeard ? standingOf(stored, facts) : { kind: "not heard" };
  return keeps ? { ...named, standing, trace: stored } : { ...named, standing: handed(standing) };
}

async function askSubscriber(
  { running, databases, stateless, broker }: TraceSources,
  { service, consumer: { durable }, id }: AskedOne,
): Promise<SubscriberTrace> {
  if (service.external) return without(durable);
  if (service.database === undefined) {
    const definition = stateless.get(service.name);
    if (definition?.stateless === undefined) return without(durable);
    const options = { definition, stateless: definition.stateless, broker, env: running.env };
    const { list } = lettersInStream({ ...options, logger: quietLogger });
    const letters = await answerWithin(Promise.all([list(10_000), list(10_000, { settled: true })]));
    const mine = letters.flat().filter((letter) => letter.durable === durable && letter.entityId === id);
    return { ...without(durable), letters: mine.map(toTracedLetter) };
  }
  return await databases.ask(service, async ({ pool, definition }) => {
    const found = definition.consumers.find((one) => one.durable === durable);
    if (found === undefined)
      throw new Error(`its generated code has no consumer ${durable}: run \`mesh generate\``);
    return await traceSubscriber(pool, found, id);
  });
}

/** Of a service that keeps nothing of what it has handled, the broker alone knows. */
function without(durable: string): SubscriberTrace {
  const subscription = {
    offset: 0,
    snapshotAt: null,
    snapshotSeq: null,
    snapshotError: null,
    snapshotWanted: null,
  };
  return { durable, subscription, state: null, retries: [], letters: [], unfit: [], tasks: [] };
}

function handed(standing: Standing): Standing {
  return standing.kind === "passed over" ? { kind: "applied", version: null, deleted: false } : standing;
}

function toTracedLetter(letter: SubscriberTrace["letters"][number]): SubscriberTrace["letters"][number] {
  const { id, seq, error, attempts, failedAt, settled } = letter;
  return { id, seq, error, attempts, failedAt, settled };
}

/** Deeper chains are cut: a mesh in which deletions go round is refused. */
const MOST_HOPS = 12;

/** Follows causation ids through the streams, outboxes and cascade tasks of the services that hear the event, and so on. */
async function consequencesOf(
  sources: TraceSources,
  rootEntity: string,
  root: FoundEvent,
): Promise<readonly Consequence[]> {
  const { flow, reader: opening } = sources;
  const { mesh } = flow;
  const reader = await opening;
  if ("unreachable" in reader) return [];
  const since = new Date(root.at);
  const read = new Map<string, Promise<ReadonlyMap<string, readonly FoundEvent[]>>>();
  const causedAt = (service: string): Promise<ReadonlyMap<string, readonly FoundEvent[]>> => {
    const stream = streamOfService(mesh, service);
    if (stream === undefined) return Promise.resolve(new Map());
    // Who cannot be read is named where its entity is traced.
    const known = read.get(stream.name) ?? causedIn(reader, { mesh, stream, since }).catch(() => new Map());
    read.set(stream.name, known);
    return known;
  };
  const follow = async (event: FoundEvent, entity: string, hop: number): Promise<readonly Consequence[]> => {
    const id = causationIdOf(event);
    if (id === undefined || hop > MOST_HOPS) return [];
    // A service with several durables on the entity is asked once.
    const hearing = new Set(flow.hearersOfEntity(entity).map(({ service }) => service));
    const each = [...hearing].map(async (service) => {
      const events = (await causedAt(service.name)).get(id) ?? [];
      const further = events.map(async (one) => ({
        kind: "event" as const,
        event: one,
        caused: one.entity === null ? [] : await follow(one, one.entity, hop + 1),
      }));
      return [...(await Promise.all(further)), ...(await toBecome(sources, service, id))];
    });
    return (await Promise.all(each)).flat();
  };
  return await follow(root, rootEntity, 1);
}

/** What a service has not published yet: events in its outbox, rows whose hook has not succeeded. */
async function toBecome(
  { databases }: TraceSources,
  service: Service,
  causationId: string,
): Promise<Consequence[]> {
  if (service.external || service.database === undefined) return [];
  try {
    return await databases.ask(service, async ({ pool }) => {
      const waiting = await findWaiting(pool, { causationId });
      const tasks = await findTasks(pool, causationId);
      return [
        ...waiting.map((event) => ({ kind: "outbox" as const, service: service.name, event })),
        ...tasks.map((task) => ({ kind: "task" as const, service: service.name, task })),
      ];
    });
  } catch {
    // Its subscriber says why it cannot be asked.
    return [];
  }
}
