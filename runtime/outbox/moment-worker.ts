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
 * locked is passed over, so replicas share the work, and each moment is told of once. A moment that fails is tried alone, with
 * back-off, for ever: it keeps no other waiting.
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
const LOCK_TIMEOUT = "500ms";
const retryAfter = backOff({ from: 1_000, to: 60_000 });

const DUE = "next_at <= mesh.clock()";
const DUE_EVENTS = `SELECT DISTINCT due.routine, due.event
FROM (SELECT routine, event FROM mesh.moment WHERE ${DUE} ORDER BY next_at LIMIT 5000) AS due ORDER BY due.event`;
const DUE_KEYS = `SELECT row_key, attempts FROM mesh.moment WHERE event = $1 AND ${DUE} ORDER BY next_at LIMIT $2`;
const NEXT_MS =
  "SELECT (1000 * extract(epoch FROM min(next_at) - mesh.clock()))::double precision AS ms FROM mesh.moment";

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

async function tellEvent(options: Telling, due: DueEvent, signal: AbortSignal): Promise<number> {
  try {
    return await tell(options.pool, due, { key: null, most: options.batch });
  } catch (error) {
    if (isAway(error)) throw error;
    return await tellOneByOne(options, due, signal);
  }
}

async function tellOneByOne({ pool, batch, logger }: Telling, due: DueEvent, signal: AbortSignal) {
  const { rows } = await pool.query<{ row_key: readonly string[]; attempts: number }>(DUE_KEYS, [
    due.event,
    batch,
  ]);
  let told = 0;
  for (const { row_key: key, attempts } of rows) {
    if (signal.aborted) return told;
    try {
      told += await tell(pool, due, { key, most: 1 });
    } catch (error) {
      if (isAway(error)) throw error;
      const message = messageOf(error);
      logger.warn(
        { event: due.event, key, attempts: attempts + 1, error: message },
        "a moment could not be told",
      );
      await pool.query(
        `UPDATE mesh.moment SET attempts = attempts + 1, last_error = $3, next_at = mesh.clock() + make_interval(secs => $4)
WHERE event = $1 AND row_key = $2`,
        [due.event, key, message, retryAfter(attempts) / 1000],
      );
    }
  }
  return told;
}

/** The database is out of reach: no moment has failed. */
function isAway(error: unknown): boolean {
  return ["unavailable", "unreachable"].includes(classify(error));
}

async function tell(
  pool: Pool,
  { routine, event }: DueEvent,
  { key, most }: { readonly key: readonly string[] | null; readonly most: number },
): Promise<number> {
  return await inTransaction(pool, async (client: PoolClient) => {
    await client.query(`SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'`);
    const { rows } = await client.query<{ told: number }>(
      "SELECT mesh.tell_moments($1, $2, $3, $4) AS told",
      [routine, event, key, most],
    );
    return rows[0]?.told ?? 0;
  });
}
