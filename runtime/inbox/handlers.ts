import type { Pool, PoolClient } from "pg";
import { HandlerFailed } from "../database/database-errors.js";
import type { HandlerContext, Logger, Tx } from "../definition/hook-definition.js";
import { NO_CAUSE, setCause, type TransactionCause } from "../telemetry/transaction-cause.js";
import { callHook, HOOK_MS } from "./hook-call.js";
import { type Incoming, printedCause } from "./parse.js";

export interface HandlerCalls {
  readonly pool: Pool;
  readonly logger: Logger;
  /** What handlers get as `origin`: whether a message or a snapshot brought the event. */
  readonly origin: HandlerContext<never>["origin"];
  /** How long a hook may take, in ms. Default 60000. */
  readonly hookTimeoutMs?: number | undefined;
  /** What the transaction has set. Default: nothing. */
  readonly cause?: TransactionCause;
  /** By entity: the event that showed an implied one. */
  readonly causedBy?: ReadonlyMap<string, Incoming>;
}

/**
 * Calls the hooks of these events in order, within the caller's transaction. Rejects with `HandlerFailed` at the first
 * that throws or takes too long.
 */
export async function callHandlers(
  client: PoolClient,
  calls: HandlerCalls,
  events: readonly Incoming[],
): Promise<void> {
  const { pool, logger, origin, causedBy, hookTimeoutMs: timeoutMs = HOOK_MS } = calls;
  const { cause = { current: NO_CAUSE } } = calls;
  for (const incoming of events) {
    const { event, subject, seq, model, id } = incoming;
    const { handler } = model;
    if (handler === undefined) continue;
    // What the hook writes follows from its event. Sent with the hook's first statement, so that one without any costs nothing.
    const printed = printedCause(causedBy?.get(id) ?? incoming);
    const begin = () => setCause(client, cause, printed);
    const call = (tx: Tx) => handler({ event: event as never, tx, subject, logger, origin });
    try {
      await callHook({ client, pool, timeoutMs, begin, call });
    } catch (error) {
      throw new HandlerFailed(seq, error);
    }
  }
}
