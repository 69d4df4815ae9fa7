import { backOff } from "../back-off.js";
import { syncDefaults } from "../defaults.js";
import { wantSnapshot } from "../inbox/want-snapshot.js";
import { pause } from "../pause.js";
import { messageOf } from "../text/error-message.js";
import { takeSnapshot } from "./snapshot.js";
import { readSnapshotRecord, type SnapshotRecord } from "./snapshot-record.js";
import type { SnapshotOptions, SnapshotReport } from "./snapshot-run.js";
import { sourceOf } from "./snapshot-source.js";

/*
 * When to take a snapshot: at the start, after messages were lost, periodically, and on demand. In the background: a source
 * that is down is asked again with back-off, and nothing waits for it.
 */

export interface Resync {
  /** Takes one in the background, and tries again until it succeeds. */
  want(): void;
  /** Records that one is wanted, and why, so that a crash cannot lose it: the next `wantIfDue` takes it. */
  wantFor(reason: string): Promise<void>;
  /** As `want`, if none succeeded within the definition's period, or one is recorded as wanted. */
  wantIfDue(): Promise<void>;
  now(how?: SnapshotChoice): Promise<SnapshotReport | undefined>;
  /** One is being taken; it may have read its source already. */
  underWay(): boolean;
  last(): SnapshotRecord | undefined;
  lastError(): string | undefined;
  /** Resolves once none is under way. Abort the signal first. */
  idle(): Promise<void>;
}

export interface SnapshotChoice {
  /** Takes the source's word where the guard knows later versions. */
  readonly trustSource?: boolean;
}

/** Of every snapshot; what one of them trusts is said when it is asked for. */
export type ResyncOptions = Omit<SnapshotOptions, "trustSource" | "isStarting">;

const LONGEST_RETRY_MS = 60_000;
const WANTED_RETRY_MS = 5_000;
/** Failures of the very first snapshot that count as a source which is starting too: 3 s, with jitter. */
const STARTING_FAILURES = 2;
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

  /** While one is under way, gives that one's outcome; unless the source is to be trusted, which that one may not do. */
  async function now(
    how: Pick<SnapshotOptions, "trustSource" | "isStarting"> = {},
  ): Promise<SnapshotReport | undefined> {
    if (sync === undefined) return undefined;
    if (how.trustSource === true) while (current !== undefined) await Promise.allSettled([current]);
    current ??= take(options, how)
      .then(
        (report) => {
          failure = undefined;
          return report;
        },
        (error: unknown) => {
          if (how.isStarting !== true) failure = messageOf(error);
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
      const isStarting = record?.at == null && failures < STARTING_FAILURES;
      try {
        await now({ isStarting });
        return await refresh();
      } catch (error) {
        const said = { error: messageOf(error), retryMs };
        if (isStarting) logger.info(said, "no snapshot yet: its source may be starting too");
        else logger.warn(said, "no snapshot; what is here stays as it is");
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
      if (
        isDue(
          record,
          sync === undefined ? 0 : (sync.everySeconds ?? syncDefaults.everySeconds),
          Date.now() - ended,
        )
      )
        want();
    },
    underWay: () => current !== undefined,
    last: () => record,
    lastError: () => failure,
    async idle() {
      await Promise.allSettled([wanted, current]);
    },
  };
}

/** After a failure, at least a minute passes: the source may be at fault. What is recorded as wanted is asked for after 5 s. */
function isDue(record: SnapshotRecord | undefined, everySeconds: number, sinceLastMs: number): boolean {
  if (record?.wanted != null) return sinceLastMs > WANTED_RETRY_MS;
  if (record?.error != null || record?.at == null) return sinceLastMs > LONGEST_RETRY_MS;
  const age = record.ageSeconds ?? 0;
  // Taken in the future: the database's clock was set back since, so the age is unknown.
  return everySeconds > 0 && (age > everySeconds || age < 0);
}

async function take(
  options: ResyncOptions,
  how: Omit<SnapshotOptions, keyof ResyncOptions>,
): Promise<SnapshotReport | undefined> {
  const report = await takeSnapshot({ ...options, ...how });
  if (report === undefined) options.logger.info({}, "another replica is taking a snapshot");
  else options.logger.info(report, "snapshot taken");
  return report;
}
