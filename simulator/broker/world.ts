import type { PublishAck } from "../../runtime/broker/broker.js";
import type { Adversary } from "./adversary.js";
import { type Alarms, createAlarms } from "./alarms.js";
import type { SimulatedDurable } from "./durable.js";
import * as durables from "./durable.js";
import type { Incoming, SimulatedStream } from "./stream.js";
import * as streams from "./stream.js";

/** Everything that the server of one simulated world knows. What changes it is done by its operator and through its port. */
export interface World {
  readonly streams: Map<string, SimulatedStream>;
  readonly durables: Map<string, SimulatedDurable>;
  readonly logs: Map<string, streams.Entry[]>;
  readonly upListeners: Set<(up: boolean) => void>;
  readonly alarms: Alarms;
  up: boolean;
  created: number;
}

export function createWorld(): World {
  const durables = new Map<string, SimulatedDurable>();
  return {
    streams: new Map(),
    durables,
    logs: new Map(),
    upListeners: new Set(),
    alarms: createAlarms((key) => durables.get(key)?.onLoan.values() ?? []),
    up: true,
    created: 0,
  };
}

/** A durable's name is its stream's own. */
export interface DurablePlace {
  readonly stream: string;
  readonly durable: string;
}

export function keyOf({ stream, durable }: DurablePlace): string {
  return `${stream} ${durable}`;
}

/** An ISO time, as JetStream gives it, to the nanosecond: no two creations have the same. */
export function creationTime(world: World): string {
  world.created += 1;
  return new Date().toISOString().replace("Z", `${String(world.created).padStart(6, "0")}Z`);
}

export function durablesOn(
  world: World,
  stream: SimulatedStream,
): readonly (readonly [string, SimulatedDurable])[] {
  return [...world.durables].filter(([, durable]) => durable.stream === stream);
}

/** The stream as it is now: what its limits no longer allow is gone. */
export function present(world: World, name: string): SimulatedStream | undefined {
  const stream = world.streams.get(name);
  if (stream) applyLimits(world, stream);
  return stream;
}

export function applyLimits(world: World, stream: SimulatedStream): void {
  const evicted = streams.evict(stream);
  if (evicted.length > 0) forget(world, stream, evicted);
}

export function forget(world: World, stream: SimulatedStream, seqs: readonly number[]): void {
  for (const [key, durable] of durablesOn(world, stream)) {
    const wasFull = durables.isFull(durable);
    durables.forget(durable, seqs);
    if (wasFull && !durables.isFull(durable)) world.alarms.wake(key);
  }
}

export function store(world: World, message: Incoming, adversary?: Adversary): PublishAck | undefined {
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
