import type { Pool } from "pg";
import { parkedValue } from "./clash.js";
import { quote } from "./columns.js";
import type { Running } from "./consumer.js";
import { messageOf } from "./faults.js";
import type { ConsumerModel } from "./model.js";
import { pause } from "./persist.js";
import { readPosition, tidy } from "./subscription.js";

/*
 * Looks after a running consumer every few seconds: that its durable still exists, how much is
 * pending, and whether a snapshot is due.
 */

export interface Watch {
  stop(): Promise<void>;
}

const WATCH_MS = 3_000;
const TIDY_EVERY = 100;

export function startWatch(running: Running): Watch {
  const ended = keepWatching(running);
  return { stop: () => ended };
}

async function keepWatching(running: Running): Promise<void> {
  const { signal } = running.stopping;
  const { watchMs = WATCH_MS, logger, pool } = running.options;
  let failure: string | undefined;
  for (let round = 1; !signal.aborted; round += 1) {
    await pause(watchMs, signal);
    if (signal.aborted) return;
    try {
      await look(running);
      if (round % TIDY_EVERY === 0) await tidy(pool, running.model, running.lastSeq);
      // Nobody else takes it back: the durable need not have been lost for the watch to fail.
      if (failure !== undefined && running.lastError === failure) running.lastError = undefined;
      failure = undefined;
    } catch (error) {
      failure = messageOf(error);
      running.lastError = failure;
      logger.debug({ error: failure }, "the watch could not look");
    }
  }
}

async function look(running: Running): Promise<void> {
  const { options, plan, resync, tally, model } = running;
  const { rows } = await options.pool.query<{ waiting: number }>(
    "SELECT count(*)::integer AS waiting FROM mesh.attempt WHERE durable = $1",
    [model.definition.durable],
  );
  running.attemptsWaiting = rows[0]?.waiting ?? 0;
  if (!running.attached || !options.broker.connected()) return;
  const [state, position] = [
    await options.broker.consumerState(plan.stream, plan.durable),
    await readPosition(options.broker, plan),
  ];
  if (state === undefined || position?.created !== running.era?.streamCreated) {
    running.lost = "its durable or its stream was deleted";
    return;
  }
  running.state = state;
  if (tally.clashes > 0 && state.pending === 0 && state.ackPending === 0) {
    tally.clashes = 0;
    if (await hasParkedValues(options.pool, model)) resync.want();
  }
  await resync.wantIfDue();
}

/** Everything has arrived and a value is still parked: the event that would have freed it was lost. */
async function hasParkedValues(pool: Pool, { cache }: ConsumerModel): Promise<boolean> {
  const columns = cache?.columns.filter(
    ({ unique, type }) => unique === true && (type === "text" || type === "nanoid"),
  );
  if (cache === undefined || columns === undefined || columns.length === 0) return false;
  const parked = columns.map(({ name }) => `starts_with(${quote(name)}, $1)`).join(" OR ");
  const { rows } = await pool.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM ${quote(cache.table.name)} WHERE ${parked}) AS found`,
    [parkedValue("")],
  );
  return rows[0]?.found === true;
}
