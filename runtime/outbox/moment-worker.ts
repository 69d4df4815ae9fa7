import type { Pool, PoolClient } from "pg";
import { backOff } from "../back-off.js";
import { classify } from "../database/database-errors.js";
import { inTransaction } from "../database/transaction.js";
import type { Logger } from "../definition/hook-definition.js";
import { pause } from "../pause.js";
import { messageOf } from "../text/error-message.js";

/*
 * Events at a time. Each replica looks for moments that have come, by the database's clock, and writes their events: in one
 * transaction a moment is locked, its row read and locked, the event written and the moment deleted. What somebody else has
 * locked is passed over, so replicas share the work, and each moment is told of once. Where a batch fails it is halved until the one
 * that fails is alone: that is tried again for ever, with back-off, and keeps no other waiting.
 */

export interface MomentWorkerOptions {
  readonly pool: Pool;
  readonly logger: Logger;
  /** Longest pause between two looks in ms: so late is a moment that is written just before it comes. Default 1000. */
  readonly pollMs?: number;
  /** Most moments of one transaction. Default 500. */
  readonly batch?: number;
}

export interface MomentWorker {
  /** Finishes the transaction in hand. */
  stop(): Promise<void>;
}

/** Sooner than the server looks for deadlocks, so that it is never a writer that has to start over. */
const LOCK_TIMEOUT_MS = 500;
/** While it is sought which moment of a batch has to wait: the others wait for it. */
const SEARCH_LOCK_TIMEOUT_MS = 20;
const retryAfter = backOff({ from: 1_000, to: 60_000 });

const DUE = "next_at <= mesh.clock()";
const DUE_EVENTS = `SELECT DISTINCT due.routine, due.event
FROM (SELECT routine, event FROM mesh.moment WHERE ${DUE} ORDER BY next_at LIMIT 5000) AS due ORDER BY due.event`;
const FIRST_DUE = `SELECT row_key, attempts FROM mesh.moment WHERE event = $1 AND ${DUE}
ORDER BY next_at LIMIT 1 FOR UPDATE SKIP LOCKED`;
const TELL = "SELECT mesh.tell_moments($1, $2, $3, $4) AS told";
const PUT_OFF = `UPDATE mesh.moment SET next_at = mesh.clock() + interval '1 second' WHERE event = $1 AND row_key = $2`;
const NOTE_FAILURE = `UPDATE mesh.moment
SET attempts = attempts + 1, last_error = $3, next_at = mesh.clock() + pg_catalog.make_interval(secs => $4) WHERE event = $1 AND row_key = $2`;
const NEXT_MS =
  "SELECT (1000 * extract(epoch FROM pg_catalog.min(next_at) - mesh.clock()))::double precision AS ms FROM mesh.moment";

export function startMomentWorker(given: MomentWorkerOptions): MomentWorker {
  const options = { pollMs: 1_000, batch: 500, ...given };
  const stopping = new AbortController();
  const { signal } = stopping;
  const work = async () => {
    while (!signal.aborted) {
      let waitMs = options.pollMs;
      try {
        await tellDue(options, signal);
        const { rows } = await options.pool.query<{ ms: number | null }>(NEXT_MS);
        waitMs = Math.min(options.pollMs, Math.max(1, Math.ceil(rows[0]?.ms ?? options.pollMs)));
      } catch (error) {
        options.logger.warn({ error: messageOf(error) }, "moments could not be read");
      }
      await pause(waitMs, signal);
    }
  };
  const ended = work();
  return {
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}

interface DueEvent {
  readonly routine: string;
  readonly event: string;
}

type Telling = Required<MomentWorkerOptions>;

/** Tells of all moments that have come; those that are locked, or fail, are due again later. */
async function tellDue(options: Telling, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { rows } = await options.pool.query<DueEvent>(DUE_EVENTS);
    let told = 0;
    for (const due of rows) {
      if (signal.aborted) return;
      told += await tellEvent(options, due, signal);
    }
    if (told === 0) return;
  }
}

/** Tells of a batch of moments, or of what it holds beside those that cannot be told now. Returns how many were settled. */
async function tellEvent(options: Telling, due: DueEvent, signal: AbortSignal): Promise<number> {
  const { pool, batch } = options;
  let settled = 0;
  let failed = 0;
  let most = batch;
  while (settled + failed < batch && !signal.aborted) {
    if (most === 1) {
      const first = await tellFirst(options, due);
      if (first === undefined) break;
      if (first === "failed") {
        failed += 1;
        continue;
      }
      settled += first;
      most = 2;
      continue;
    }
    try {
      const lockTimeoutMs = most === batch ? LOCK_TIMEOUT_MS : SEARCH_LOCK_TIMEOUT_MS;
      const told = await inTransaction(pool, (client) =>
        tell(client, due, { key: null, most, lockTimeoutMs }),
      );
      if (told === 0) break;
      settled += told;
      most = Math.min(2 * most, batch);
    } catch (error) {
      if (isAway(error)) throw error;
      most = Math.floor(most / 2);
    }
  }
  return settled + failed;
}

/** Tells of the one that was due first. Undefined where there is none that nobody else has locked. */
async function tellFirst({ pool, logger }: Telling, due: DueEvent): Promise<number | "failed" | undefined> {
  let first: { readonly row_key: readonly string[]; readonly attempts: number } | undefined;
  try {
    return await inTransaction(pool, async (client) => {
      [first] = (await client.query(FIRST_DUE, [due.event])).rows;
      if (first === undefined) return undefined;
      const lockTimeoutMs = SEARCH_LOCK_TIMEOUT_MS;
      return await tell(client, due, { key: first.row_key, most: 1, lockTimeoutMs });
    });
  } catch (error) {
    if (first === undefined || isAway(error)) throw error;
    const { row_key: key, attempts } = first;
    // Somebody writes the entity that the moment is about: it has not failed.
    if (classify(error) === "contended") {
      await pool.query(PUT_OFF, [due.event, key]);
      return "failed";
    }
    const message = messageOf(error);
    logger.warn(
      { event: due.event, key, attempts: attempts + 1, error: message },
      "a moment could not be told",
    );
    await pool.query(NOTE_FAILURE, [due.event, key, message, retryAfter(attempts) / 1000]);
    return "failed";
  }
}

/** The database is out of reach: no moment has failed. */
function isAway(error: unknown): boolean {
  return ["unavailable", "unreachable"].includes(classify(error));
}

interface Wanted {
  /** Of one row. */
  readonly key: readonly string[] | null;
  readonly most: number;
  readonly lockTimeoutMs: number;
}

async function tell(client: PoolClient, { routine, event }: DueEvent, { key, most, lockTimeoutMs }: Wanted) {
  await client.query(`SET LOCAL lock_timeout = ${lockTimeoutMs}`);
  const { rows } = await client.query<{ told: number }>(TELL, [routine, event, key, most]);
  return rows[0]?.told ?? 0;
}
