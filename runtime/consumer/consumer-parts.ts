import type { Pool } from "pg";
import type { Broker, ConsumerPlan } from "../broker/broker.js";
import { unprocessedLimit } from "../broker/monitor-thresholds.js";
import { createMutex } from "../database/mutex.js";
import type { ConsumerDefinition } from "../definition/consumer-definition.js";
import type { Logger } from "../definition/hook-definition.js";
import { buildModel, type ConsumerModel } from "../inbox/consumer-model.js";
import { createInsertThrottle } from "../inbox/insert-throttle.js";
import { createResync, type Resync } from "../resync/resync.js";
import type { MeasuredBatch } from "../telemetry/meter.js";
import type { BatchContext, Tally } from "./batch-context.js";
import { applied, type ConsumerState, knownOf, STARTING } from "./consumer-state.js";
import { createReceiver, type Receiver } from "./receiving.js";
import { snapshotPosition } from "./stream-epoch.js";
import { createVersionGapWaits } from "./version-gap.js";

export interface ConsumerOptions {
  readonly pool: Pool;
  readonly broker: Broker;
  readonly definition: ConsumerDefinition;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  /** Called when cascade tasks were written and are committed: the cascade worker's `wake`. */
  readonly onTasks?: () => void;
  /** Called with each batch that was settled. */
  readonly onBatch?: ((batch: MeasuredBatch) => void) | undefined;
  /** Poll interval of the monitor in ms. Default 3000. */
  readonly watchMs?: number;
  /** How long a hook may take, in ms. Default 60000. */
  readonly hookTimeoutMs?: number;
}

/** What the functions of one consumer share. `state` changes through the transitions of `consumer-state.ts` alone. */
export interface Consumer {
  readonly options: ConsumerOptions;
  readonly logger: Logger;
  readonly model: ConsumerModel;
  readonly plan: ConsumerPlan;
  readonly signal: AbortSignal;
  readonly resync: Resync;
  readonly batch: BatchContext;
  readonly receiver: Receiver;
  state: ConsumerState;
  /** As of the last poll. */
  pendingRetries: number;
  /** Rows may hold placeholder values that nothing will replace. At the start too: whoever ran before may have left some. */
  mayHoldPlaceholders: boolean;
  /** What is wrong now, by who met it. */
  receiveError: string | undefined;
  pollError: string | undefined;
}

export function assemble(options: ConsumerOptions, signal: AbortSignal): Consumer {
  const { pool, broker, definition, onTasks = () => undefined } = options;
  const { durable, stream, filter } = definition;
  const model = buildModel(definition);
  const logger = options.logger.child({ durable });
  const exclusively = createMutex();
  const onPlaceholder = () => {
    consumer.mayHoldPlaceholders = true;
  };
  const { ackWaitSeconds, maxAckPending } = model.delivery;
  const plan: ConsumerPlan = {
    ...{ stream: stream.name, durable, filter, ackWaitSeconds, maxAckPending },
    unprocessedLimit: unprocessedLimit(stream),
  };
  const position = snapshotPosition({ broker, plan, epoch: () => knownOf(consumer.state)?.epoch });
  const tally: Tally = { applied: 0, stale: 0, deadLetters: 0 };
  const batch: BatchContext = {
    ...{ pool, model, logger, signal, tally, onTasks, onPlaceholder, exclusively },
    origin: "event",
    insertThrottle: createInsertThrottle(),
    hookTimeoutMs: options.hookTimeoutMs,
    deferredUntil: new Map(),
    versionGaps: createVersionGapWaits({ inFlight: () => consumer.receiver.inFlight(), ackWaitSeconds }),
    onTrouble: (error) => {
      if (error !== undefined) logger.warn({ error }, "the batch in hand is held and tried again");
      consumer.receiveError = error;
    },
  };
  const resync = createResync({
    ...{ pool, model, logger, signal, onTasks, onPlaceholder, exclusively, ...position },
    env: options.env,
    hookTimeoutMs: options.hookTimeoutMs,
  });
  const receiver = createReceiver({
    ...{ broker, plan, signal },
    batch: () => batch,
    onSettled: (settled, measured) => {
      consumer.state = applied(consumer.state, settled);
      options.onBatch?.({ consumer: durable, ...measured });
    },
    onDoubt: (reason) => resync.wantFor(reason),
  });
  const consumer: Consumer = {
    ...{ options, logger, model, plan, signal, resync, batch, receiver },
    state: STARTING,
    pendingRetries: 0,
    mayHoldPlaceholders: true,
    receiveError: undefined,
    pollError: undefined,
  };
  return consumer;
}

/** Highest effective sequence settled here; 0 before the first. */
export function settledSeq({ state }: Consumer): number {
  return knownOf(state)?.settledSeq ?? 0;
}
