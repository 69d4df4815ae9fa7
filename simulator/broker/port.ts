import {
  ConsumerGone,
  type ConsumerPlan,
  type ConsumerState,
  type PublishAck,
  type StreamState,
} from "../../runtime/broker/broker.js";
import type { StreamDefinition } from "../../runtime/definition.js";
import type { Adversary } from "./adversary.js";
import type { Pulled, SimulatedDurable } from "./durable.js";
import * as durables from "./durable.js";
import type { Incoming, LoggedMessage } from "./stream.js";
import * as streams from "./stream.js";
import { applyLimits, creationTime, type DurablePlace, keyOf, present, store, type World } from "./world.js";

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

export function openPort(world: World, maxPayload: number): ServerPort {
  return { ...storageOf(world), ...durablesOf(world), ...aliveness(world, maxPayload) };
}

function aliveness(world: World, maxPayload: number) {
  return {
    maxPayload,
    up: () => world.up,
    onUp(listener: (up: boolean) => void) {
      world.upListeners.add(listener);
      return () => void world.upListeners.delete(listener);
    },
  };
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
