import type { Pool, PoolClient } from "pg";
import { acquire } from "../database/transaction.js";

/** A database that does not answer within this time counts as down. */
export const FIGURES_TIMEOUT_MS = 2_000;
/** The database is asked for figures once in this time, however many requests come. */
export const FIGURES_FRESH_MS = 1_000;

export interface FigureSession {
  readonly client: PoolClient;
  /** Starts its time again. */
  readonly refresh: () => void;
  readonly isGivenUp: () => boolean;
  readonly end: () => void;
}

/** A session that is closed, and rejects what it runs, unless it is ended in time. A connection that does not answer holds up nobody who asks later. */
export async function openFigureSession(pool: Pool): Promise<FigureSession> {
  let broken = false;
  let released = false;
  const onError = () => {
    broken = true;
  };
  const client = await acquire(pool, onError);
  const release = (close: boolean) => {
    if (released) return;
    released = true;
    if (!close) client.off("error", onError);
    client.release(close);
  };
  const timer = setTimeout(() => {
    broken = true;
    release(true);
  }, FIGURES_TIMEOUT_MS);
  return {
    client,
    refresh: () => timer.refresh(),
    isGivenUp: () => released,
    end: () => {
      clearTimeout(timer);
      release(broken);
    },
  };
}
