import type { PublishAck } from "@meshwright/runtime";
import * as durables from "./durable.js";
import { openPort, type ServerPort } from "./port.js";
import {
  createServerState,
  durablesOn,
  forget,
  keyOf,
  present,
  type ServerState,
  store,
} from "./server-state.js";
import type { LoggedMessage, SimulatedStream } from "./stream.js";
import * as streams from "./stream.js";

export interface SimulatedServerOptions {
  /** Largest message that clients may publish, headers included. */
  readonly maxPayload?: number;
}

/**
 * A JetStream server in memory. Nothing happens in it but the requests of its clients, the calls below, and what comes
 * due by the clock.
 */
export interface SimulatedServer {
  /** Deletes its durables, too. False when there is no such stream. */
  deleteStream(name: string): boolean;
  deleteConsumer(stream: string, durable: string): boolean;
  /** Removes every message; sequences go on. */
  purge(stream: string): void;
  /** The last `count` messages vanish and their sequences are used again, as after a power cut before fsync. */
  loseTail(stream: string, count: number): void;
  /** `false` disconnects clients: nothing is stored or delivered. Messages stay, and ack waits go on. */
  setUp(up: boolean): void;
  /** Publishes as a foreign client. Undefined when the server is down or no stream takes the subject. */
  inject(
    subject: string,
    body: Uint8Array,
    headers?: Readonly<Record<string, string>>,
  ): PublishAck | undefined;
  /** Delivers a settled message once more, as if its ack was lost. False when it is not there, or not settled. */
  redeliver(stream: string, durable: string, seq: number): boolean;
  /** Every message that streams of this name ever stored, in order, with what became of it. */
  log(stream: string): readonly LoggedMessage[];
  /** The names of the streams there are, in order of creation. */
  streams(): readonly string[];
  readonly port: ServerPort;
}

const MAX_PAYLOAD = 1_048_576;

export function createSimulatedServer({
  maxPayload = MAX_PAYLOAD,
}: SimulatedServerOptions = {}): SimulatedServer {
  const state = createServerState();
  return { ...operatorOf(state), port: openPort(state, maxPayload) };
}

function operatorOf(state: ServerState): Omit<SimulatedServer, "port"> {
  /** Removes all messages, also from what its durables have in flight. */
  const empty = (stream: SimulatedStream, why: "purged" | "deleted") => {
    const seqs = [...stream.messages.keys()];
    for (const entry of [...stream.messages.values()]) streams.remove(stream, entry, why);
    forget(state, stream, seqs);
  };
  const dropDurable = (key: string) => {
    const was = state.durables.delete(key);
    if (was) state.wakeUps.wake(key);
    return was;
  };
  return {
    deleteStream(name) {
      const stream = present(state, name);
      if (!stream) return false;
      empty(stream, "deleted");
      state.streams.delete(name);
      for (const [key] of durablesOn(state, stream)) dropDurable(key);
      return true;
    },
    deleteConsumer: (stream, durable) => dropDurable(keyOf({ stream, durable })),
    purge(name) {
      const stream = present(state, name);
      if (!stream) return;
      empty(stream, "purged");
      for (const [, durable] of durablesOn(state, stream)) durables.moveToEnd(durable);
    },
    loseTail(name, count) {
      const stream = present(state, name);
      if (!stream) return;
      const lost = [...stream.messages.keys()].filter((seq) => seq > stream.lastSeq - count);
      streams.loseTail(stream, count);
      forget(state, stream, lost);
      for (const [, durable] of durablesOn(state, stream)) durables.clampToEnd(durable);
    },
    setUp(up) {
      if (state.up === up) return;
      state.up = up;
      for (const listener of [...state.upListeners]) listener(up);
    },
    inject: (subject, body, headers = {}) =>
      state.up ? store(state, { subject, body, headers }) : undefined,
    redeliver(stream, durable, seq) {
      const found = present(state, stream) && state.durables.get(keyOf({ stream, durable }));
      if (!found || !durables.repeat(found, seq)) return false;
      state.wakeUps.wake(keyOf({ stream, durable }));
      return true;
    },
    log(name) {
      present(state, name);
      return (state.logs.get(name) ?? []).map((entry) => ({ ...entry }));
    },
    streams: () => [...state.streams.keys()],
  };
}
