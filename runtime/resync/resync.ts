import type { Pool } from "pg";
import { backOff } from "../back-off.js";
import type { Broker, ConsumerPlan } from "../broker/broker.js";
import { type Era, readPosition, readSnapshotRecord, type SnapshotRecord } from "../consumer/stream-epoch.js";
import type { Mutex } from "../database/mutex.js";
import type { Logger } from "../definition.js";
import { wantSnapshot } from "../inbox/apply.js";
import type { ConsumerModel } from "../inbox/consumer-model.js";
import { pause } from "../pause.js";
import { messageOf } from "../text/error-message.js";
import { type SnapshotReport, takeSnapshot } from "./snapshot.js";
import { sourceOf } from "./snapshot-source.js";

/*
 * When to take a snapshot: at the start, after a gap, now and then, and on demand. In the background:
 * a source that is down is asked again with backoff, and nobody waits for it.
 */

export interface Resync {
  /** Soon, in the background, until it succeeds. */
  want(): void;
  /** On record with its reason, so that a crash cannot lose it: the next look asks for it. */
  wantFor(reason: string): Promise<void>;
  /** As `want`, when none succeeded within the definition's period, or one is on record as wanted. */
  wantIfDue(): Promise<void>;
  now(how?: SnapshotChoice): Promise<SnapshotReport | undefined>;
  /** Whoever asks now gets one that may have read its source already. */
  underWay(): boolean;
  last(): SnapshotRecord | undefined;
  lastError(): string | undefined;
  /** Resolves when none is under way. Abort the signal first. */
  idle(): Promise<void>;
}

export interface SnapshotChoice {
  /** Takes the source's word where the guard knows later versions. */
  readonly trustSource?: boolean;
}

export interface ResyncOptions {
  readonly pool: Pool;
  readonly broker: Broker;
  readonly plan: ConsumerPlan;
  readonly model: ConsumerModel;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  readonly era: () => Era | undefined;
  readonly onTasks: () => void;
  readonly onClash: () => void;
  readonly exclusively: Mutex;
  readonly hookTimeoutMs?: number | undefined;
}

const LONGEST_RETRY_MS = 60_000;
const WANTED_RETRY_MS = 5_000;
const retryAfter = backOff({ from: 1_000, to: LONGEST_RETRY_MS });

export function createResync(options: ResyncOptions): Resync {
  const { model, signal, pool, logger } = options;
  const { durable, entity } = model.definition;
  const sync = sourceOf(model.definition, options.env);
  if (sync === undefined && model.definition.sync !== undefined) {
    const variable = model.definition.sync.urlVariable;
    logger.warn(
      { entity, variable },
      "the variable is not set: deletions whose events are lost cannot be found",
    );
  }
  let wanted: Promise<void> | undefined;
  let current: Promise<SnapshotReport | undefined> | undefined;
  let record: SnapshotRecord | undefined;
  let failure: string | undefined;
  let ended = 0;

  async function refresh(): Promise<void> {
    record = await readSnapshotRecord(pool, durable);
  }

  /** Whoever asks while one is under way gets that one's outcome: it is as new as can be. But it may trust less. */
  async function now(how: SnapshotChoice = {}): Promise<SnapshotReport | undefined> {
    if (sync === undefined) return undefined;
    if (how.trustSource === true) while (current !== undefined) await Promise.allSettled([current]);
    current ??= take(options, how)
      .then(
        (report) => {
          failure = undefined;
          return report;
        },
        (error: unknown) => {
          failure = messageOf(error);
          throw error;
        },
      )
      .finally(() => {
        current = undefined;
        ended = Date.now();
      });
    return await current;
  }

  async function untilDone(): Promise<void> {
    for (let failures = 0; !signal.aborted; failures += 1) {
      const retryMs = Math.round(retryAfter(failures));
      try {
        await now();
        return await refresh();
      } catch (error) {
        logger.warn({ error: messageOf(error), retryMs }, "no snapshot; what is here stays as it is");
      }
      await pause(retryMs, signal);
    }
  }

  function want(): void {
    if (sync === undefined || signal.aborted) return;
    wanted ??= untilDone().finally(() => {
      wanted = undefined;
    });
  }

  return {
    want,
    now,
    async wantFor(reason) {
      if (sync !== undefined) await wantSnapshot(pool, model, [reason]);
    },
    async wantIfDue() {
      await refresh();
      if (isDue(record, sync?.everySeconds ?? 0, Date.now() - ended)) want();
    },
    underWay: () => current !== undefined,
    last: () => record,
    lastError: () => failure,
    async idle() {
      await Promise.allSettled([wanted, current]);
    },
  };
}

/** What is on record as wrong is not asked for again at once: the source may be what is wrong. */
function isDue(record: SnapshotRecord | undefined, everySeconds: number, sinceLastMs: number): boolean {
  if (record?.wanted != null) return sinceLastMs > WANTED_RETRY_MS;
  if (record?.error != null || record?.at == null) return sinceLastMs > LONGEST_RETRY_MS;
  const age = record.ageSeconds ?? 0;
  // Read in the future: the database's clock was set back since, and nothing is known of its age.
  return everySeconds > 0 && (age > everySeconds || age < 0);
}

async function take(
  { broker, plan, era, model, logger, ...options }: ResyncOptions,
  how: SnapshotChoice,
): Promise<SnapshotReport | undefined> {
  const { stream } = plan;
  const noteSeq = async () => {
    const [state, now] = [await readPosition(broker, plan), era()];
    if (state === undefined || now === undefined) throw new Error(`stream ${stream} is out of reach`);
    if (state.created !== now.streamCreated) throw new Error(`stream ${stream} was made anew`);
    return now.base + state.lastSeq;
  };
  const settledUpTo = async (seq: number) => {
    const state = await broker.consumerState(stream, plan.durable);
    if (state === undefined) return false;
    if (state.pending === 0 && state.ackPending === 0) return true;
    return (era()?.base ?? 0) + (state.ackFloor ?? 0) >= seq;
  };
  const report = await takeSnapshot({ ...options, ...how, model, logger, noteSeq, settledUpTo });
  if (report === undefined) logger.info({}, "another replica is taking a snapshot");
  else logger.info(report, "snapshot taken");
  return report;
}
