import type { PublishAck } from "@meshwright/runtime";
import type { Adversary } from "./adversary.js";
import type { SimulatedDurable } from "./durable.js";
import * as durables from "./durable.js";
import type { Incoming, SimulatedStream } from "./stream.js";
import * as streams from "./stream.js";
import { createWakeUps, type WakeUps } from "./wake-ups.js";

/** Everything that a simulated server knows. Changed by its operator (`server.ts`) and by its clients (`port.ts`). */
export interface ServerState {
  readonly streams: Map<string, SimulatedStream>;
  readonly durables: Map<string, SimulatedDurable>;
  readonly logs: Map<string, streams.Entry[]>;
  readonly upListeners: Set<(up: boolean) => void>;
  readonly wakeUps: WakeUps;
  up: boolean;
  created: number;
}

export function createServerState(): ServerState {
  const durables = new Map<string, SimulatedDurable>();
  return {
    streams: new Map(),
    durables,
    logs: new Map(),
    upListeners: new Set(),
    wakeUps: createWakeUps((key) => durables.get(key)?.inFlight.values() ?? []),
    up: true,
    created: 0,
  };
}

/** Names of durables are unique within their stream only. */
export interface DurableName {
  readonly stream: string;
  readonly durable: string;
}

export function keyOf({ stream, durable }: DurableName): string {
  return `${stream} ${durable}`;
}

/** An ISO time with nanoseconds, as JetStream gives it. No two creations have the same. */
export function creationTime(state: ServerState): string {
  state.created += 1;
  return new Date().toISOString().replace("Z", `${String(state.created).padStart(6, "0")}Z`);
}

export function durablesOn(
  state: ServerState,
  stream: SimulatedStream,
): readonly (readonly [string, SimulatedDurable])[] {
  return [...state.durables].filter(([, durable]) => durable.stream === stream);
}

/** The stream, after its limits were applied. */
export function present(state: ServerState, name: string): SimulatedStream | undefined {
  const stream = state.streams.get(name);
  if (stream) applyLimits(state, stream);
  return stream;
}

export function applyLimits(state: ServerState, stream: SimulatedStream): void {
  const evicted = streams.evict(stream);
  if (evicted.length > 0) forget(state, stream, evicted);
}

export function forget(state: ServerState, stream: SimulatedStream, seqs: readonly number[]): void {
  for (const [key, durable] of durablesOn(state, stream)) {
    const wasFull = durables.isFull(durable);
    durables.forget(durable, seqs);
    if (wasFull && !durables.isFull(durable)) state.wakeUps.wake(key);
  }
}

export function store(state: ServerState, message: Incoming, adversary?: Adversary): PublishAck | undefined {
  const stream = [...state.streams.values()].find((one) => streams.takes(one, message.subject));
  if (!stream) return undefined;
  applyLimits(state, stream);
  const { seq, entry } = streams.append(stream, message);
  if (!entry) return { stream: stream.plan.name, seq, duplicate: true };
  applyLimits(state, stream);
  const reading = durablesOn(state, stream).filter(([, durable]) => durables.reads(durable, message.subject));
  for (const [, durable] of reading) {
    if (adversary?.duplicates(durable.plan.durable, seq)) durable.duplicates.add(seq);
  }
  for (const [key] of reading) state.wakeUps.wake(key);
  return { stream: stream.plan.name, seq, duplicate: false };
}
