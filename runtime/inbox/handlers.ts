import type { Pool, PoolClient } from "pg";
import { HandlerFailed } from "../database/database-errors.js";
import type { HandlerContext, Logger, Tx } from "../definition/hook-definition.js";
import { callHook, HOOK_MS } from "./hook-call.js";
import type { Incoming } from "./parse.js";

export interface HandlerCalls {
  readonly pool: Pool;
  readonly logger: Logger;
  /** What handlers get as `origin`: whether a message or a snapshot brought the event. */
  readonly origin: HandlerContext<never>["origin"];
  /** How long a hook may take, in ms. Default 60000. */
  readonly hookTimeoutMs?: number | undefined;
}

/**
 * Calls the hooks of these events in order, within the caller's transaction. Rejects with `HandlerFailed` at the first
 * that throws or takes too long.
 */
export async function callHandlers(
  client: PoolClient,
  { pool, logger, origin, hookTimeoutMs: timeoutMs = HOOK_MS }: HandlerCalls,
  events: readonly Incoming[],
): Promise<void> {
  for (const { event, subject, seq, model } of events) {
    const { handler } = model;
    if (handler === undefined) continue;
    const call = (tx: Tx) => handler({ event: event as never, tx, subject, logger, origin });
    try {
      await callHook({ client, pool, timeoutMs, call });
    } catch (error) {
      throw new HandlerFailed(seq, error);
    }
  }
}
