import type { Pool } from "pg";
import type { Logger } from "../definition/hook-definition.js";
import { pause } from "../pause.js";
import { messageOf } from "../text/error-message.js";
import { FIGURES_TIMEOUT_MS, openFigureSession } from "./figure-session.js";

export interface DatabaseWatchOptions {
  /** That of figures: its sessions are given up when they do not answer. */
  readonly pool: Pool;
  readonly logger: Logger;
  /** Ends the watch. */
  readonly signal: AbortSignal;
  /** Time between two questions. Default: 12 s, so that a session is idle long enough to be closed, and each question opens one. */
  readonly everyMs?: number;
}

/** While it does not answer it is asked more often. */
const DOWN_PAUSE_MS = 2_000;

/**
 * Says once when the database stops answering, and once when it answers again: whatever waits for a database that hangs says nothing
 * itself. Never rejects.
 */
export async function watchDatabase({
  pool,
  logger,
  signal,
  everyMs = 12_000,
}: DatabaseWatchOptions): Promise<void> {
  let downSince: number | undefined;
  while (!signal.aborted) {
    const error = await ask(pool);
    if (signal.aborted) return;
    if (error !== undefined && downSince === undefined) {
      downSince = performance.now();
      logger.warn({ error }, "the database does not answer");
    }
    if (error === undefined && downSince !== undefined) {
      const seconds = Math.round((performance.now() - downSince) / 1_000);
      logger.info({ seconds }, "the database answers again");
      downSince = undefined;
    }
    await pause(downSince === undefined ? everyMs : Math.min(everyMs, DOWN_PAUSE_MS), signal);
  }
}

/** Why it does not answer; undefined where it does. */
async function ask(pool: Pool): Promise<string | undefined> {
  try {
    const session = await openFigureSession(pool);
    try {
      await session.client.query("SELECT 1");
      return undefined;
    } catch (error) {
      return session.isGivenUp() ? `no answer within ${FIGURES_TIMEOUT_MS} ms` : messageOf(error);
    } finally {
      session.end();
    }
  } catch (error) {
    return messageOf(error);
  }
}
