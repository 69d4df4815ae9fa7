import {
  ConsumerGone,
  type ConsumerPlan,
  type ConsumerState,
  type PublishAck,
  type StreamDefinition,
  type StreamState,
} from "@meshwright/runtime";
import type { Adversary } from "./adversary.js";
import type { Pulled, SimulatedDurable } from "./durable.js";
import * as durables from "./durable.js";
import {
  applyLimits,
  creationTime,
  type DurableName,
  keyOf,
  present,
  type ServerState,
  store,
} from "./server-state.js";
import type { Incoming, LoggedMessage } from "./stream.js";
import * as streams from "./stream.js";

/** The server as clients see it. Called only while the wire carries a request. */
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
  /** Calls back when a pull may find more than the last one, or the durable is gone. Carries no request. */
  listen(name: DurableName, wake: () => void): () => void;
  /** Throws `ConsumerGone`. */
  take(name: DurableName, max: number, adversary: Adversary): Pulled;
  /** Without effect if the message is not in flight. */
  settle(name: DurableName, seq: number): void;
  postpone(name: DurableName, seq: number, delayMs: number): void;
  /** False where the stream has no such message. */
  deleteMessage(stream: string, seq: number): boolean;
  /** Stored messages from one sequence to another, both included. Throws when there is no stream. */
  read(stream: string, from: number, to: number): readonly LoggedMessage[];
}

export function openPort(state: ServerState, maxPayload: number): ServerPort {
  return { ...storageOf(state), ...durablesOf(state), ...availabilityOf(state, maxPayload) };
}

function availabilityOf(state: ServerState, maxPayload: number) {
  return {
    maxPayload,
    up: () => state.up,
    onUp(listener: (up: boolean) => void) {
      state.upListeners.add(listener);
      return () => void state.upListeners.delete(listener);
    },
  };
}

function storageOf(state: ServerState) {
  return {
    store: (message: Incoming, adversary: Adversary) => store(state, message, adversary),
    ensureStream(plan: StreamDefinition) {
      const stream = present(state, plan.name);
      if (plan.external || stream) {
        if (stream && !plan.external) {
          const subjects = [...new Set([...stream.plan.subjects, ...plan.subjects])];
          stream.plan = { ...plan, subjects };
          applyLimits(state, stream);
        }
        return { made: false, state: stream && streams.stateOf(stream) };
      }
      const log = state.logs.get(plan.name) ?? [];
      state.logs.set(plan.name, log);
      const made = streams.createStream(plan, creationTime(state), log);
      state.streams.set(plan.name, made);
      return { made: true, state: streams.stateOf(made) };
    },
    streamState(name: string) {
      const stream = present(state, name);
      return stream && streams.stateOf(stream);
    },
    deleteMessage(name: string, seq: number) {
      const stream = present(state, name);
      const entry = stream?.messages.get(seq);
      if (!stream || !entry) return false;
      streams.remove(stream, entry, "deleted");
      return true;
    },
    read(name: string, from: number, to: number) {
      const stream = present(state, name);
      if (!stream) throw new Error(`stream ${name} does not exist`);
      return [...stream.messages.values()].filter(({ seq }) => seq >= from && seq <= to);
    },
  };
}

function durablesOf(state: ServerState) {
  const find = (name: DurableName): SimulatedDurable | undefined => {
    present(state, name.stream);
    return state.durables.get(keyOf(name));
  };
  return {
    ensureConsumer(plan: ConsumerPlan) {
      const stream = present(state, plan.stream);
      if (!stream) throw new ConsumerGone(`there is no stream ${plan.stream}`);
      const known = find(plan);
      if (known) return { created: false, state: adjusted(state, known, plan) };
      const made = durables.createDurable(plan, stream, creationTime(state));
      state.durables.set(keyOf(plan), made);
      state.wakeUps.wake(keyOf(plan));
      return { created: true, state: durables.stateOf(made) };
    },
    consumerState(stream: string, durable: string) {
      const found = find({ stream, durable });
      return found && durables.stateOf(found);
    },
    listen: (name: DurableName, wake: () => void) => state.wakeUps.listen(keyOf(name), wake),
    take(name: DurableName, max: number, adversary: Adversary) {
      const durable = find(name);
      if (!durable) throw new ConsumerGone(`durable ${name.durable} of stream ${name.stream} is gone`);
      const pulled = durables.take(durable, max, adversary);
      state.wakeUps.reset(keyOf(name));
      return pulled;
    },
    settle(name: DurableName, seq: number) {
      const durable = find(name);
      if (!durable) return;
      const wasFull = durables.isFull(durable);
      if (durables.settle(durable, seq) && wasFull) state.wakeUps.wake(keyOf(name));
    },
    postpone(name: DurableName, seq: number, delayMs: number) {
      const durable = find(name);
      if (!durable || !durables.postpone(durable, seq, delayMs)) return;
      if (delayMs <= 0) state.wakeUps.wake(keyOf(name));
      state.wakeUps.reset(keyOf(name));
    },
  };
}

function adjusted(state: ServerState, durable: SimulatedDurable, plan: ConsumerPlan): ConsumerState {
  const { filter } = durable.plan;
  if (filter !== plan.filter) {
    throw new Error(
      `durable ${plan.durable} of stream ${plan.stream} reads "${filter}", not "${plan.filter}": delete it ` +
        "(its snapshot will be read anew) or rename the service's durable",
    );
  }
  durable.plan = plan;
  state.wakeUps.wake(keyOf(plan));
  return durables.stateOf(durable);
}
