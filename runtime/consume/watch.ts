import type { Pool } from "pg";
import { wantSnapshot } from "./apply.js";
import { parkedValue } from "./clash.js";
import { quote } from "./columns.js";
import type { Running } from "./consumer.js";
import { messageOf } from "./faults.js";
import { createLossWatch, type LossWatch } from "./loss.js";
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
  const losses = createLossWatch();
  for (let round = 1; !signal.aborted; round += 1) {
    await pause(watchMs, signal);
    if (signal.aborted) return;
    try {
      await look(running, losses);
      if (round % TIDY_EVERY === 0) await tidy(pool, running.model, running.lastSeq);
    } catch (error) {
      running.lastError = messageOf(error);
      logger.debug({ error: running.lastError }, "the watch could not look");
    }
  }
}

async function look(running: Running, losses: LossWatch): Promise<void> {
  const { options, plan, resync, tally, model } = running;
  const { rows } = await options.pool.query<{ waiting: number }>(
    "SELECT count(*)::integer AS waiting FROM mesh.attempt WHERE durable = $1",
    [model.definition.durable],
  );
  running.attemptsWaiting = rows[0]?.waiting ?? 0;
  if (!running.attached || !options.broker.connected()) return;
  const applied = running.lastSeq - (running.era?.base ?? 0);
  const position = await readPosition(options.broker, plan);
  const state = await options.broker.consumerState(plan.stream, plan.durable);
  if (state === undefined || position === undefined || position.created !== running.era?.streamCreated) {
    running.lost = "its durable or its stream was deleted";
    return;
  }
  running.state = state;
  const loss = losses.compare(position, state, applied);
  if (loss !== undefined) {
    options.logger.warn(
      { stream: plan.stream, loss },
      "the stream lost messages that were not delivered yet",
    );
    // In a shortened stream sequences come again: they need a new base.
    if (loss === "shortened") running.lost = "its stream has lost its newest messages";
    await wantSnapshot(options.pool, model, [`messages lost: ${loss}`]);
  }
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
