import type { PublishAck } from "../../runtime/broker/broker.js";
import * as durables from "./durable.js";
import { openPort, type ServerPort } from "./port.js";
import type { LoggedMessage, SimulatedStream } from "./stream.js";
import * as streams from "./stream.js";
import { createWorld, durablesOn, forget, keyOf, present, store, type World } from "./world.js";

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

const MAX_PAYLOAD = 1_048_576;

export function createSimulatedServer({
  maxPayload = MAX_PAYLOAD,
}: SimulatedServerOptions = {}): SimulatedServer {
  const world = createWorld();
  return { ...operatorOf(world), port: openPort(world, maxPayload) };
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
