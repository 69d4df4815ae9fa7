import {
  type Broker,
  connectJetStream,
  findTasks,
  findWaiting,
  messageOf,
  type OwnerTrace,
  type Standing,
  type StreamReader,
  type SubscriberTrace,
  standingOf,
  type TracedEvent,
  traceOwner,
  traceSubscriber,
  type WaitingEvent,
} from "@meshwright/runtime";
import type { Consumer, Service } from "../../model/mesh.js";
import { quietLogger } from "../../terminal/terminal.js";
import { withLetters, withService } from "../loaded-service.js";
import { natsLogin, type RunningMesh } from "../running-mesh.js";
import { causationIdOf, causedIn, eventsOfEntity, openReader, streamOfService } from "./read-events.js";

/*
 * One entity's way through a running mesh: its owner, its stream, each subscriber, and what its event caused there, hop by hop. What
 * cannot be asked says so, and the rest is told all the same.
 */

/** What could not be asked, and why. */
export interface Unreachable {
  readonly unreachable: string;
}

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
  | { readonly kind: "event"; readonly event: TracedEvent; readonly caused: readonly Consequence[] }
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
    | { readonly name: string; readonly events: readonly TracedEvent[] }
    | Unreachable
    | undefined;
  /** The event that is followed: the one that was asked for, else the newest. */
  readonly event: TracedEvent | undefined;
  readonly subscribers: readonly TracedSubscriber[];
  readonly caused: readonly Consequence[];
}

export interface Asked {
  readonly entity: string;
  readonly id: string;
  /** The event to follow. Default: the newest. */
  readonly eventId?: string;
}

export async function traceEntity(
  running: RunningMesh,
  { entity, id, eventId }: Asked,
): Promise<EntityTrace> {
  const { mesh } = running;
  const ownerName = entity.slice(0, entity.indexOf("."));
  const owner = mesh.services.find(({ name }) => name === ownerName);
  const reader = await openReader(running).catch((error: unknown) => ({ unreachable: messageOf(error) }));
  const broker = await connectJetStream({
    ...natsLogin(running),
    name: "mesh_operator",
    logger: quietLogger,
  });
  try {
    const name = streamOfService(mesh, ownerName);
    const stream = name === undefined ? undefined : await readStream(reader, { running, entity, id, name });
    const events = stream !== undefined && "events" in stream ? stream.events : [];
    const event = eventId === undefined ? events.at(-1) : events.find((one) => one.eventId === eventId);
    const asked = { running, entity, id, events, event, broker: "read" in reader ? broker : undefined };
    const subscribers: TracedSubscriber[] = [];
    for (const service of mesh.services)
      for (const consumer of service.consumers)
        if (consumer.entity === entity) subscribers.push(await traceOne(asked, service, consumer));
    return {
      entity,
      id,
      owner: owner && !owner.external ? await askOwner(running, owner, { entity, id }) : undefined,
      stream,
      event,
      subscribers,
      caused: event === undefined ? [] : await consequencesOf({ running, reader, entity }, event),
    };
  } finally {
    await broker.close();
    if ("close" in reader) await reader.close();
  }
}

type Reader = StreamReader | Unreachable;

async function readStream(
  reader: Reader,
  of: { readonly running: RunningMesh; readonly entity: string; readonly id: string; readonly name: string },
): Promise<EntityTrace["stream"]> {
  if ("unreachable" in reader) return reader;
  const { running, entity, id, name } = of;
  try {
    return { name, events: await eventsOfEntity(reader, { mesh: running.mesh, entity, id }) };
  } catch (error) {
    return { unreachable: `${name}: ${messageOf(error)}` };
  }
}

async function askOwner(
  running: RunningMesh,
  service: Service,
  asked: { readonly entity: string; readonly id: string },
): Promise<NonNullable<EntityTrace["owner"]>> {
  const { name } = service;
  try {
    return await withService(running, service, async ({ pool, definition }) => ({
      service: name,
      ...(await traceOwner(pool, definition, asked)),
    }));
  } catch (error) {
    return { service: name, unreachable: messageOf(error) };
  }
}

interface AskedOne {
  readonly running: RunningMesh;
  readonly id: string;
  readonly events: readonly TracedEvent[];
  readonly event: TracedEvent | undefined;
  readonly broker: Broker | undefined;
}

async function traceOne(asked: AskedOne, service: Service, consumer: Consumer): Promise<TracedSubscriber> {
  const { durable, stream } = consumer;
  const { running, event, events, id, broker } = asked;
  const state = await broker?.consumerState(stream, durable).catch(() => undefined);
  const facts = { event, seqs: events.map(({ seq }) => seq), durable: state };
  const named = { service: service.name, durable };
  if (service.external) return { ...named, standing: standingOf(without(durable), facts) };
  try {
    if (service.database === undefined) {
      const letters = await withLetters(running, service, ({ list }) => list(10_000));
      const mine = letters.filter((letter) => letter.durable === durable && letter.entityId === id);
      const trace = { ...without(durable), letters: mine.map(toTracedLetter) };
      return { ...named, standing: handed(standingOf(trace, facts)) };
    }
    const trace = await withService(running, service, async ({ pool, definition }) => {
      const found = definition.consumers.find((one) => one.durable === durable);
      if (found === undefined)
        throw new Error(`its generated code has no consumer ${durable}: run \`mesh generate\``);
      return await traceSubscriber(pool, found, id);
    });
    return { ...named, standing: standingOf(trace, facts), trace };
  } catch (error) {
    return { ...named, standing: { kind: "unknown" }, trace: { unreachable: messageOf(error) } };
  }
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
  const { id, seq, error, attempts, failedAt, redrivenAt } = letter;
  return { id, seq, error, attempts, failedAt, redrivenAt };
}

/** Deeper chains are cut: a mesh in which deletions go round is refused. */
const MOST_HOPS = 12;

interface Followed {
  readonly running: RunningMesh;
  readonly reader: Reader;
  readonly entity: string;
}

/** Follows causation ids through the streams, outboxes and cascade tasks of the services that hear the event, and so on. */
async function consequencesOf(
  { running, reader, entity: rootEntity }: Followed,
  root: TracedEvent,
): Promise<readonly Consequence[]> {
  const since = new Date(root.at);
  const read = new Map<string, Promise<ReadonlyMap<string, readonly TracedEvent[]>>>();
  const caused = (service: string) => {
    const stream = streamOfService(running.mesh, service);
    if (stream === undefined || "unreachable" in reader) return Promise.resolve(new Map());
    const known = read.get(stream) ?? causedIn(reader, stream, since).catch(() => new Map());
    read.set(stream, known);
    return known as Promise<ReadonlyMap<string, readonly TracedEvent[]>>;
  };
  const follow = async (event: TracedEvent, entity: string, hop: number): Promise<readonly Consequence[]> => {
    const id = causationIdOf(event);
    if (id === undefined || hop > MOST_HOPS) return [];
    const found: Consequence[] = [];
    for (const hearing of hearers(running, entity)) {
      const events = (await caused(hearing.name)).get(id) ?? [];
      for (const one of events)
        found.push({ kind: "event", event: one, caused: await follow(one, entityIn(one.subject), hop + 1) });
      found.push(...(await toBecome(running, hearing, id)));
    }
    return found;
  };
  return await follow(root, rootEntity, 1);
}

/** Services of ours have no subjects of another form. */
function entityIn(subject: string): string {
  return subject.split(".", 2).join(".");
}

function hearers({ mesh }: RunningMesh, entity: string): readonly Service[] {
  return mesh.services.filter(({ consumers }) => consumers.some((consumer) => consumer.entity === entity));
}

/** What a service has not published yet: events in its outbox, rows whose hook has not succeeded. */
async function toBecome(running: RunningMesh, service: Service, causationId: string): Promise<Consequence[]> {
  if (service.external || service.database === undefined) return [];
  try {
    return await withService(running, service, async ({ pool }) => {
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
