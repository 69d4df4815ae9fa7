import type { Pool, PoolClient } from "pg";
import { HandlerFailed } from "../database/database-errors.js";
import type { HandlerContext, Logger, Tx } from "../definition/hook-definition.js";
import { NO_CAUSE, setCause, type TransactionCause } from "../telemetry/transaction-cause.js";
import { callHook, HOOK_MS } from "./hook-call.js";
import { createHookPipeline } from "./hook-pipeline.js";
import { type HookCallRecord, profileOf } from "./hook-profile.js";
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
  /** `callHandlers` may reject with `Mispredicted`. Default: hooks are called one at a time. */
  readonly pipelined?: boolean;
}

/**
 * Calls the hooks of these events in order, within the caller's transaction. Rejects with `HandlerFailed` of the first
 * that throws or takes too long.
 */
export async function callHandlers(
  client: PoolClient,
  calls: HandlerCalls,
  events: readonly Incoming[],
): Promise<void> {
  const { pool, logger, origin, causedBy, hookTimeoutMs: timeoutMs = HOOK_MS } = calls;
  const { cause = { current: NO_CAUSE }, pipelined = false } = calls;
  const pipeline = createHookPipeline(client, !pipelined);
  for (const incoming of events) {
    const { event, subject, seq, model, id } = incoming;
    const { handler } = model;
    if (handler === undefined) continue;
    // What the hook writes follows from its event. Sent with the hook's first statement, so that one without any costs nothing.
    const begin = () => setCause(client, cause, printedCause(causedBy?.get(id) ?? incoming));
    const call = (tx: Tx) => handler({ event: event as never, tx, subject, logger, origin });
    const callIt = (record: HookCallRecord, admit: (isAwaited: boolean) => void) =>
      callHook({ client, pool, timeoutMs, begin, record, admit, call }).catch((error: unknown) => {
        throw new HandlerFailed(seq, error);
      });
    if (!(await pipeline.call({ id, profile: profileOf(model), call: callIt }))) break;
  }
  await pipeline.end();
}
