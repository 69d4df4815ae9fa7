import { escapeIdentifier, type Pool } from "pg";
import type { ConsumerModel } from "../inbox/consumer-model.js";
import { parkedValue } from "../inbox/unique-conflict.js";
import { pause } from "../pause.js";
import { messageOf } from "../text/error-message.js";
import { kindOf } from "../values/column-types.js";
import type { Running } from "./consumer.js";
import { fellBack, findLoss, type Sight } from "./message-loss.js";
import { forgetSettled } from "./retries.js";
import { readPosition, tidy } from "./stream-epoch.js";

/*
 * Looks after a running consumer every few seconds: that its durable still exists, how much is
 * pending, and whether a snapshot is due.
 */

export interface Watch {
  stop(): Promise<void>;
}

const WATCH_MS = 3_000;
const TIDY_EVERY = 100;
/** A stream that evicts faster than its consumer reads loses messages all the time. */
const LOSS_EVERY_MS = 60_000;

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

/** Attempts that wait, and whether replicas of another release are at work: their sessions end in another mark. */
const LOOK = `SELECT (SELECT count(*)::integer FROM mesh.attempt WHERE durable = $1) AS waiting, EXISTS (
  SELECT FROM pg_stat_activity AS session, regexp_match(session.application_name, '^(.*) [0-9a-f]{8}$') AS theirs,
    current_setting('application_name') AS own
  WHERE session.datname = current_database() AND session.application_name <> own
    AND theirs[1] = (regexp_match(own, '^(.*) [0-9a-f]{8}$'))[1]) AS others`;

/**
 * An older release applies events to the same rows, and leaves out columns that it does not know: while both run, these
 * may go stale. Once the last of it is gone the source is asked.
 */
function noteRelease(running: Running, others: boolean): void {
  if (running.otherRelease && !others && running.model.cache !== undefined) {
    running.options.logger.info(
      {},
      "another release has ended: the source is asked for what it did not write",
    );
    running.resync.want();
  }
  running.otherRelease = others;
}

async function look(running: Running): Promise<void> {
  const { options, plan, resync, tally, model } = running;
  const { rows } = await options.pool.query<{ waiting: number; others: boolean }>(LOOK, [
    model.definition.durable,
  ]);
  running.attemptsWaiting = rows[0]?.waiting ?? 0;
  noteRelease(running, rows[0]?.others === true);
  if (!options.broker.connected()) return;
  if (!running.attached || running.lost !== undefined) {
    if (running.era !== undefined) await resync.wantIfDue();
    return;
  }
  const delivered = running.deliveredSeq;
  const position = await readPosition(options.broker, plan);
  const state = await options.broker.consumerState(plan.stream, plan.durable);
  if (state === undefined || position === undefined || position.created !== running.era?.streamCreated) {
    running.lost = "its durable or its stream was deleted";
    return;
  }
  if (running.state !== undefined && running.state.created !== state.created) madeAnew(running);
  running.state = state;
  if (running.attemptsWaiting > 0 && state.ackFloor !== undefined)
    await forgetSettled(options.pool, model, (running.era?.base ?? 0) + state.ackFloor);
  if (await noteLoss(running, { position, durable: state, delivered })) return;
  noteInstance(running);
  // One under way may have parked the value itself, and be committed or not: neither is it seen, nor would it be healed.
  if (tally.clashes > 0 && !resync.underWay() && state.pending === 0 && state.ackPending === 0) {
    tally.clashes = 0;
    if (await hasParkedValues(options.pool, model)) resync.want();
  }
  await resync.wantIfDue();
}

/**
 * Deleted and made again by a provisioner, quicker than anybody noticed. What the stream still has comes
 * again; what it evicted in between never came.
 */
function madeAnew({ options, resync }: Running): void {
  options.logger.warn({}, "the durable was made anew");
  resync.want();
}

const INSTANCE_EVERY_MS = 20_000;

/**
 * A broker whose machine went down may have lost the newest messages that it had acknowledged: it syncs to disk every two
 * minutes unless told otherwise. What is stored next stands under their sequences, which a durable may have behind it, and
 * once as many are there again nothing of that shows here. So a broker that was started anew, or another node of a cluster, is
 * reason enough to ask the source.
 */
function noteInstance(running: Running): void {
  const { options, resync } = running;
  const instance = options.broker.instance?.();
  if (instance === undefined || instance === running.instance) return;
  if (running.instance !== undefined) {
    if (Date.now() - running.instanceAt < INSTANCE_EVERY_MS) return;
    running.instanceAt = Date.now();
    options.logger.info(
      {},
      "another broker, or one that was started anew: the source is asked what it may have lost",
    );
    resync.want();
  }
  running.instance = instance;
}

/** True where the stream went back: its sequences may need another base before anything else is done. */
async function noteLoss(running: Running, now: Sight): Promise<boolean> {
  const { options, resync, sight: before } = running;
  const loss = findLoss(before, now);
  const wentBack = before !== undefined && loss !== undefined && fellBack(before, now);
  // Compared with the same look again until it is time.
  if (loss !== undefined && !wentBack && Date.now() - running.lossAt < LOSS_EVERY_MS) return false;
  running.sight = now;
  if (loss === undefined) return false;
  running.lossAt = Date.now();
  options.logger.warn({ loss }, "the stream lost messages");
  await resync.wantFor(loss);
  if (wentBack) {
    running.lost = "its stream lost messages";
  }
  return wentBack;
}

/** Everything has arrived and a value is still parked: the event that would have freed it was lost. */
async function hasParkedValues(pool: Pool, { cache }: ConsumerModel): Promise<boolean> {
  const columns = cache?.columns.filter(({ unique, type }) => unique === true && kindOf(type) === "text");
  if (cache === undefined || columns === undefined || columns.length === 0) return false;
  const parked = columns.map(({ name }) => `starts_with(${escapeIdentifier(name)}, $1)`).join(" OR ");
  const { rows } = await pool.query<{ found: boolean }>(
    `SELECT EXISTS (SELECT FROM ${escapeIdentifier(cache.table.name)} WHERE ${parked}) AS found`,
    [parkedValue("")],
  );
  return rows[0]?.found === true;
}
