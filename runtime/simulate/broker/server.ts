import type { PublishAck } from "../../broker/broker.js";
import {
  ConsumerGone,
  type ConsumerPlan,
  type ConsumerState,
  type StreamState,
} from "../../broker/broker.js";
import type { StreamDefinition } from "../../definition.js";
import type { Adversary } from "./adversary.js";
import { type Alarms, createAlarms } from "./alarms.js";
import type { Pulled, SimulatedDurable } from "./durable.js";
import * as durables from "./durable.js";
import type { Incoming, LoggedMessage, SimulatedStream } from "./stream.js";
import * as streams from "./stream.js";

export interface SimulatedServerOptions {
  /** Largest message that clients may publish, headers included. */
  readonly maxPayload?: number;
}

/**
 * A JetStream of one simulated world, in memory. It is asked only in the crossings of its clients and by
 * whoever plays the operator and the power cut: nothing happens in it but what they do and what comes due.
 */
export interface SimulatedServer {
  /** Durables go with their stream. False when there is none. */
  deleteStream(name: string): boolean;
  deleteConsumer(stream: string, durable: string): boolean;
  /** Removes every message and keeps the sequence. */
  purge(stream: string): void;
  /** The last `count` messages vanish and their sequences are given again, as after a power cut under lazy fsync. */
  loseTail(stream: string, count: number): void;
  /** Down: clients are disconnected, nothing is stored or delivered. What is stored stays, and ack waits go on. */
  setUp(up: boolean): void;
  /** A foreign publisher. Deduplicated only by a `Nats-Msg-Id` of its own. Undefined when down, or where no stream takes the subject. */
  inject(
    subject: string,
    body: Uint8Array,
    headers?: Readonly<Record<string, string>>,
  ): PublishAck | undefined;
  /** Delivers a message once more that was delivered and settled: its ack was lost. False when it is not there, or not settled. */
  redeliver(stream: string, durable: string, seq: number): boolean;
  /** Every message ever stored under this name, in order, with what became of it. */
  log(stream: string): readonly LoggedMessage[];
  /** The names of the streams there are, in order of creation. */
  streams(): readonly string[];
  readonly port: ServerPort;
}

/** What clients speak to, in their crossings. */
export interface ServerPort {
  readonly maxPayload: number;
  up(): boolean;
  onUp(listener: (up: boolean) => void): () => void;
  /** Undefined where no stream takes the subject. */
  store(message: Incoming, adversary: Adversary): PublishAck | undefined;
  ensureStream(plan: StreamDefinition): { readonly made: boolean; readonly state: StreamState | undefined };
  streamState(name: string): StreamState | undefined;
  /** Throws `ConsumerGone` without the stream; an error where a durable of the name reads something else. */
  ensureConsumer(plan: ConsumerPlan): { readonly created: boolean; readonly state: ConsumerState };
  consumerState(stream: string, durable: string): ConsumerState | undefined;
  /** Calls back whenever a pull may find what the one before did not, or that the durable is gone. Asks nothing of the server. */
  listen(place: DurablePlace, wake: () => void): () => void;
  /** Throws `ConsumerGone`. */
  take(place: DurablePlace, max: number, adversary: Adversary): Pulled;
  /** Without effect when the message is not on loan. */
  settle(place: DurablePlace, seq: number): void;
  postpone(place: DurablePlace, seq: number, delayMs: number): void;
  /** Stored messages from one sequence to another, both included. Throws when there is no stream. */
  read(stream: string, from: number, to: number): readonly LoggedMessage[];
}

export interface DurablePlace {
  readonly stream: string;
  readonly durable: string;
}

const MAX_PAYLOAD = 1_048_576;

interface World {
  readonly streams: Map<string, SimulatedStream>;
  readonly durables: Map<string, SimulatedDurable>;
  readonly logs: Map<string, streams.Entry[]>;
  readonly upListeners: Set<(up: boolean) => void>;
  readonly alarms: Alarms;
  up: boolean;
  created: number;
}

export function createSimulatedServer(options: SimulatedServerOptions = {}): SimulatedServer {
  const world: World = {
    streams: new Map(),
    durables: new Map(),
    logs: new Map(),
    upListeners: new Set(),
    alarms: createAlarms((key) => world.durables.get(key)?.onLoan.values() ?? []),
    up: true,
    created: 0,
  };
  return {
    ...operatorOf(world),
    port: { ...storageOf(world), ...durablesOf(world), ...aliveness(world, options) },
  };
}

function keyOf({ stream, durable }: DurablePlace): string {
  return `${stream} ${durable}`;
}

/** An ISO time, as JetStream gives it, to the nanosecond: no two creations have the same. */
function creationTime(world: World): string {
  world.created += 1;
  return new Date().toISOString().replace("Z", `${String(world.created).padStart(6, "0")}Z`);
}

function durablesOn(world: World, stream: SimulatedStream): readonly (readonly [string, SimulatedDurable])[] {
  return [...world.durables].filter(([, durable]) => durable.stream === stream);
}

/** The stream as it is now: what its limits no longer allow is gone. */
function present(world: World, name: string): SimulatedStream | undefined {
  const stream = world.streams.get(name);
  if (stream) applyLimits(world, stream);
  return stream;
}

function applyLimits(world: World, stream: SimulatedStream): void {
  const evicted = streams.evict(stream);
  if (evicted.length > 0) forget(world, stream, evicted);
}

function forget(world: World, stream: SimulatedStream, seqs: readonly number[]): void {
  for (const [key, durable] of durablesOn(world, stream)) {
    const wasFull = durables.isFull(durable);
    durables.forget(durable, seqs);
    if (wasFull && !durables.isFull(durable)) world.alarms.wake(key);
  }
}

function aliveness(world: World, { maxPayload = MAX_PAYLOAD }: SimulatedServerOptions) {
  return {
    maxPayload,
    up: () => world.up,
    onUp(listener: (up: boolean) => void) {
      world.upListeners.add(listener);
      return () => void world.upListeners.delete(listener);
    },
  };
}

function store(world: World, message: Incoming, adversary?: Adversary): PublishAck | undefined {
  const stream = [...world.streams.values()].find((one) => streams.takes(one, message.subject));
  if (!stream) return undefined;
  applyLimits(world, stream);
  const { seq, entry } = streams.append(stream, message);
  if (!entry) return { stream: stream.plan.name, seq, duplicate: true };
  applyLimits(world, stream);
  const reading = durablesOn(world, stream).filter(([, durable]) => durables.reads(durable, message.subject));
  for (const [, durable] of reading) {
    if (adversary?.duplicates(durable.plan.durable, seq)) durable.twice.add(seq);
  }
  for (const [key] of reading) world.alarms.wake(key);
  return { stream: stream.plan.name, seq, duplicate: false };
}

function storageOf(world: World) {
  return {
    store: (message: Incoming, adversary: Adversary) => store(world, message, adversary),
    ensureStream(plan: StreamDefinition) {
      const stream = present(world, plan.name);
      if (plan.external || stream) {
        if (stream && !plan.external) {
          const subjects = [...new Set([...stream.plan.subjects, ...plan.subjects])];
          stream.plan = { ...plan, subjects };
          applyLimits(world, stream);
        }
        return { made: false, state: stream && streams.stateOf(stream) };
      }
      const log = world.logs.get(plan.name) ?? [];
      world.logs.set(plan.name, log);
      const made = streams.createStream(plan, creationTime(world), log);
      world.streams.set(plan.name, made);
      return { made: true, state: streams.stateOf(made) };
    },
    streamState(name: string) {
      const stream = present(world, name);
      return stream && streams.stateOf(stream);
    },
    read(name: string, from: number, to: number) {
      const stream = present(world, name);
      if (!stream) throw new Error(`stream ${name} does not exist`);
      return [...stream.messages.values()].filter(({ seq }) => seq >= from && seq <= to);
    },
  };
}

function durablesOf(world: World) {
  const find = (place: DurablePlace): SimulatedDurable | undefined => {
    present(world, place.stream);
    return world.durables.get(keyOf(place));
  };
  return {
    ensureConsumer(plan: ConsumerPlan) {
      const stream = present(world, plan.stream);
      if (!stream) throw new ConsumerGone(`there is no stream ${plan.stream}`);
      const known = find(plan);
      if (known) return { created: false, state: adjusted(world, known, plan) };
      const made = durables.createDurable(plan, stream, creationTime(world));
      world.durables.set(keyOf(plan), made);
      world.alarms.wake(keyOf(plan));
      return { created: true, state: durables.stateOf(made) };
    },
    consumerState(stream: string, durable: string) {
      const found = find({ stream, durable });
      return found && durables.stateOf(found);
    },
    listen: (place: DurablePlace, wake: () => void) => world.alarms.listen(keyOf(place), wake),
    take(place: DurablePlace, max: number, adversary: Adversary) {
      const durable = find(place);
      if (!durable) throw new ConsumerGone(`durable ${place.durable} of stream ${place.stream} is gone`);
      const pulled = durables.take(durable, max, adversary);
      world.alarms.reset(keyOf(place));
      return pulled;
    },
    settle(place: DurablePlace, seq: number) {
      const durable = find(place);
      if (!durable) return;
      const wasFull = durables.isFull(durable);
      if (durables.settle(durable, seq) && wasFull) world.alarms.wake(keyOf(place));
    },
    postpone(place: DurablePlace, seq: number, delayMs: number) {
      const durable = find(place);
      if (!durable || !durables.postpone(durable, seq, delayMs)) return;
      if (delayMs <= 0) world.alarms.wake(keyOf(place));
      world.alarms.reset(keyOf(place));
    },
  };
}

function adjusted(world: World, durable: SimulatedDurable, plan: ConsumerPlan): ConsumerState {
  const { filter } = durable.plan;
  if (filter !== plan.filter) {
    throw new Error(
      `durable ${plan.durable} of stream ${plan.stream} reads "${filter}", not "${plan.filter}": delete it ` +
        "(its snapshot will be read anew) or rename the service's durable",
    );
  }
  durable.plan = plan;
  world.alarms.wake(keyOf(plan));
  return durables.stateOf(durable);
}

function operatorOf(world: World): Omit<SimulatedServer, "port"> {
  /** Empties it, and says so to its durables. */
  const empty = (stream: SimulatedStream, why: "purged" | "deleted") => {
    const seqs = [...stream.messages.keys()];
    for (const entry of [...stream.messages.values()]) streams.remove(stream, entry, why);
    forget(world, stream, seqs);
  };
  const dropDurable = (key: string) => {
    const was = world.durables.delete(key);
    if (was) world.alarms.wake(key);
    return was;
  };
  return {
    deleteStream(name) {
      const stream = present(world, name);
      if (!stream) return false;
      empty(stream, "deleted");
      world.streams.delete(name);
      for (const [key] of durablesOn(world, stream)) dropDurable(key);
      return true;
    },
    deleteConsumer: (stream, durable) => dropDurable(keyOf({ stream, durable })),
    purge(name) {
      const stream = present(world, name);
      if (!stream) return;
      empty(stream, "purged");
      for (const [, durable] of durablesOn(world, stream)) durables.moveToEnd(durable);
    },
    loseTail(name, count) {
      const stream = present(world, name);
      if (!stream) return;
      const lost = [...stream.messages.keys()].filter((seq) => seq > stream.lastSeq - count);
      streams.loseTail(stream, count);
      forget(world, stream, lost);
      for (const [, durable] of durablesOn(world, stream)) durables.fallBack(durable);
    },
    setUp(up) {
      if (world.up === up) return;
      world.up = up;
      for (const listener of [...world.upListeners]) listener(up);
    },
    inject: (subject, body, headers = {}) =>
      world.up ? store(world, { subject, body, headers }) : undefined,
    redeliver(stream, durable, seq) {
      const found = present(world, stream) && world.durables.get(keyOf({ stream, durable }));
      if (!found || !durables.owe(found, seq)) return false;
      world.alarms.wake(keyOf({ stream, durable }));
      return true;
    },
    log(name) {
      present(world, name);
      return (world.logs.get(name) ?? []).map((entry) => ({ ...entry }));
    },
    streams: () => [...world.streams.keys()],
  };
}
