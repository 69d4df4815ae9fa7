import { backOff } from "../back-off.js";
import { type AckHeartbeat, startAckHeartbeat } from "../broker/ack-heartbeat.js";
import type { Broker, ConsumerPlan, ConsumerState, Delivery } from "../broker/broker.js";
import { unprocessedLimit } from "../broker/monitor-thresholds.js";
import { type ConsumerStats, lagOf, type RunningConsumer } from "../consumer/consumer.js";
import { createMutex } from "../database/mutex.js";
import type { StatelessConsumerDefinition } from "../definition/consumer-definition.js";
import type { MeshEvent } from "../definition/event-definition.js";
import type { Logger, MessageHandler } from "../definition/hook-definition.js";
import { addressOf, parseMessage } from "../inbox/parse.js";
import { pause } from "../pause.js";
import type { MeasuredBatch } from "../telemetry/meter.js";
import { messageOf } from "../text/error-message.js";
import type { DeadLetterStream } from "./dead-letter-stream.js";
import { createEntityWaits } from "./entity-waits.js";
import { handleMessage, type MessageWork } from "./handle-message.js";
import { resolveConsumer } from "./message-hook.js";

/*
 * One durable of a service without a database. States: out of reach (attaching, with back-off), consuming, stopped. Hooks of
 * different entities run at the same time, those of one entity one after the other, in the order of the stream. Nothing is
 * remembered of what was handled: a message that is delivered twice is handled twice.
 */

export interface StatelessConsumerOptions {
  readonly broker: Broker;
  readonly definition: StatelessConsumerDefinition;
  /** The service's hook for every event of its unnamed consumers. */
  readonly onEvent?: MessageHandler<MeshEvent> | undefined;
  readonly letters: DeadLetterStream;
  readonly logger: Logger;
  /** Called with each message that was settled, as a batch of one. */
  readonly onBatch?: ((batch: MeasuredBatch) => void) | undefined;
  /** Poll interval of the monitor in ms. Default 3000. */
  readonly watchMs?: number;
  /** How long a hook may take, in ms. Default 60000. */
  readonly hookTimeoutMs?: number;
}

/** Hooks that run at the same time. */
const RUNNING = 16;
/** Most messages in hand: so many wait behind the hooks of an entity that takes long, before others wait too. */
const HELD = 256;
const PREFETCH = 64;
const WAIT_MS = 1_000;
const WATCH_MS = 3_000;
/** A consumer that settles nothing for this long while messages are pending is stalled. */
const STALLED_MS = 15_000;

const attachAfter = backOff({ from: 200, to: 5_000 });

interface State {
  connected: boolean;
  oldest: () => Date | undefined;
  durable: ConsumerState | undefined;
  kept: number | undefined;
  error: string | undefined;
  progressAt: number;
}

/** Starts at once, whatever is down: it waits for streams and durable, and says so in its stats. */
export function startStatelessConsumer(options: StatelessConsumerOptions): RunningConsumer {
  const { definition, broker, letters, watchMs = WATCH_MS } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const state: State = {
    ...{ connected: false, oldest: () => undefined, durable: undefined, kept: undefined, error: undefined },
    progressAt: Date.now(),
  };
  const work = prepareWork(options, { signal, state });
  const { ackWaitSeconds, maxAckPending } = work.consumer.model.delivery;
  const { durable, stream, filter } = definition;
  const plan: ConsumerPlan = {
    ...{ stream: stream.name, durable, filter, ackWaitSeconds, maxAckPending },
    unprocessedLimit: unprocessedLimit(stream),
  };

  const live = async () => {
    for (let failures = 0; !signal.aborted; failures += 1) {
      try {
        await broker.ensureStream(stream);
        // Without it nothing is taken: what fails could not be kept.
        if ((await broker.ensureStream(letters.definition)) === undefined)
          throw new Error(`stream ${letters.definition.name} does not exist yet`);
        state.durable = (await broker.ensureConsumer(plan)).state;
        failures = 0;
        Object.assign(state, { connected: true, error: undefined, progressAt: Date.now() });
        await receive(options, plan, work, state);
      } catch (error) {
        if (!signal.aborted) {
          state.error = messageOf(error);
          work.logger.warn({ error: state.error }, "not consuming; trying again");
        }
      } finally {
        state.connected = false;
      }
      await pause(attachAfter(failures), signal);
    }
  };
  const watch = async () => {
    for (; !signal.aborted; await pause(watchMs, signal)) {
      if (!broker.connected()) continue;
      state.durable = await broker.consumerState(plan.stream, durable).catch(() => state.durable);
      state.kept = await letters.count("dead").then(
        (counts) => counts.get(durable) ?? 0,
        () => state.kept,
      );
    }
  };
  const ended = Promise.all([live(), watch()]);
  return {
    stats: () => describe(durable, work, state, broker),
    // There is no copy that could lack something.
    resync: async () => undefined,
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}

function prepareWork(
  { definition, onEvent, letters, logger, hookTimeoutMs }: StatelessConsumerOptions,
  { signal, state }: { readonly signal: AbortSignal; readonly state: State },
): MessageWork {
  return {
    consumer: resolveConsumer(definition, onEvent),
    letters,
    logger: logger.child({ durable: definition.durable }),
    signal,
    hookTimeoutMs,
    waits: createEntityWaits(),
    expected: new Set(),
    alone: createMutex(),
    tally: { applied: 0, stale: 0, deadLetters: 0 },
    onTrouble: (error) => {
      state.error = error;
    },
  };
}

async function receive(
  { broker, onBatch }: StatelessConsumerOptions,
  plan: ConsumerPlan,
  work: MessageWork,
  state: State,
): Promise<void> {
  const most = Math.min(work.consumer.model.delivery.batch, HELD);
  const subscription = await broker.consume(plan, PREFETCH);
  state.oldest = () => subscription.oldest?.();
  const heartbeat = startAckHeartbeat(plan.ackWaitSeconds);
  const queues = createEntityQueues(work, { heartbeat, state, onBatch });
  try {
    while (!work.signal.aborted) {
      // Rejects where the durable is gone.
      const deliveries = await subscription.next(most - queues.held(), WAIT_MS);
      for (const delivery of deliveries) queues.add(delivery);
      if (queues.held() >= most) await queues.progress();
    }
  } finally {
    await queues.idle();
    await subscription.stop();
    heartbeat.stop();
  }
}

interface QueueOptions {
  readonly heartbeat: AckHeartbeat;
  readonly state: State;
  readonly onBatch: StatelessConsumerOptions["onBatch"];
}

interface EntityQueues {
  add(delivery: Delivery): void;
  /** Messages in hand. */
  held(): number;
  /** The next one is settled. */
  progress(): Promise<void>;
  idle(): Promise<void>;
}

function createEntityQueues(work: MessageWork, { heartbeat, state, onBatch }: QueueOptions): EntityQueues {
  const tails = new Map<string, Promise<void>>();
  const slot = createSlots(RUNNING);
  let held = 0;
  return {
    add(delivery) {
      held += 1;
      const release = heartbeat.hold([delivery]);
      let started = 0;
      const entity = entityOf(work, delivery);
      const former = tails.get(entity) ?? Promise.resolve();
      const own = former
        .then(() =>
          slot(async () => {
            started = performance.now();
            await handleMessage(work, entity, delivery);
          }),
        )
        .then(() => {
          held -= 1;
          release();
          state.progressAt = Date.now();
          onBatch?.({
            consumer: work.consumer.model.definition.durable,
            seconds: (performance.now() - started) / 1000,
            delaySeconds: (state.progressAt - delivery.time.getTime()) / 1000,
          });
          if (tails.get(entity) === own) tails.delete(entity);
        });
      tails.set(entity, own);
    },
    held: () => held,
    progress: async () => {
      await Promise.race(tails.values());
    },
    idle: async () => {
      await Promise.all(tails.values());
    },
  };
}

/** By its subject, else by its body; a message that says neither waits for no other. One that was delivered before is not read here: reading it may be what ended the process. */
function entityOf({ consumer: { model } }: MessageWork, delivery: Delivery): string {
  const { id } = addressOf(model, delivery, delivery.seq);
  if (id !== "") return id;
  const parsed = delivery.deliveries === 1 ? parseMessage(model, delivery, delivery.seq) : undefined;
  return parsed?.ok === true ? parsed.incoming.id : `#${delivery.seq}`;
}

/** Runs at most `count` at the same time, in the order in which they were asked for. */
function createSlots(count: number): (work: () => Promise<void>) => Promise<void> {
  const waiting: (() => void)[] = [];
  let free = count;
  return async (work) => {
    if (free === 0) await new Promise<void>((resolve) => waiting.push(resolve));
    else free -= 1;
    try {
      await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}

function describe(durable: string, work: MessageWork, state: State, broker: Broker): ConsumerStats {
  const connected = state.connected && broker.connected();
  const { pending, ackPending, redelivered } = state.durable ?? {};
  const isStuck =
    (pending ?? 0) + Math.max((ackPending ?? 0) - work.waits.count(), 0) > 0 &&
    Date.now() - state.progressAt > STALLED_MS;
  return {
    ...{ durable, connected, pending, ackPending, redelivered },
    lagSeconds: connected ? lagOf(state.oldest()) : undefined,
    ...work.tally,
    attemptsWaiting: work.waits.count(),
    lettersKept: state.kept,
    ...{ lastSnapshot: undefined, snapshotError: undefined },
    ...{ ownError: state.error, lastError: state.error },
    stalled: !connected || isStuck,
  };
}
