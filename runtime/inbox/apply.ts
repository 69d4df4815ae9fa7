import type { Pool, PoolClient } from "pg";
import { inTransaction } from "../database/transaction.js";
import { NO_CAUSE, type TransactionCause } from "../telemetry/transaction-cause.js";
import { Raced, VersionGap } from "./apply-errors.js";
import { type ConsumerModel, cascadesOf } from "./consumer-model.js";
import { dropDuplicates } from "./duplicates.js";
import { lockStates, writeStates } from "./entity-states.js";
import { applyFastPath, type FastPathContext, prepareFastPath } from "./fast-path.js";
import { callHandlers, type HandlerCalls } from "./handlers.js";
import { Mispredicted } from "./hook-pipeline.js";
import { lostDeletions } from "./implied-events.js";
import { type Incoming, printedCause } from "./parse.js";
import { type BatchPlan, type Phase, planBatch } from "./plan-batch.js";
import { removeByCause } from "./remove-by-cause.js";
import { settleUniqueConflicts } from "./settle-conflicts.js";
import { settleTold } from "./told.js";
import { settleUnheard } from "./unheard.js";
import { wantSnapshot } from "./want-snapshot.js";
import { removeOutside, writeRows } from "./write-rows.js";

/*
 * One batch of events, applied: read and lock what is known of their entities, plan (pure), write, call the hooks.
 */

export interface ApplyContext extends HandlerCalls, FastPathContext {
  readonly model: ConsumerModel;
  /** These events were on the fast path already, and some of them were left out. */
  readonly skipFastPath?: true | undefined;
  /** Before a row is written, look for other rows that hold its unique values, and give one of the two a placeholder value. */
  readonly settleConflicts?: true;
  /**
   * Rejects with `VersionGap` instead of applying an event before which versions are missing, unless its sequence is one
   * of these. Undefined: no event waits.
   */
  readonly gapsAllowed?: ReadonlySet<number> | undefined;
}

export interface Applied {
  readonly fresh: number;
  readonly stale: number;
  /** Why a snapshot is wanted; empty when the cache lacks nothing. */
  readonly gaps: readonly string[];
  /** Cascade tasks may have been written. */
  readonly tasks: boolean;
}

/**
 * Applies each event of a batch once. The fast path may commit some of them first; where the rest then fails, those are stale
 * when the batch is tried again. Otherwise one transaction: everything, or nothing, and rejects.
 */
export async function applyBatch(
  pool: Pool,
  context: ApplyContext,
  events: readonly Incoming[],
): Promise<Applied> {
  const fast = context.skipFastPath ? undefined : prepareFastPath(context, events);
  if (fast !== undefined && (await applyFastPath(pool, context, fast)) === "applied")
    return allFresh(events.length);
  for (let pipelined = true; ; ) {
    try {
      return await inTransaction(pool, (client) => applyEvents(client, { ...context, pipelined }, events));
    } catch (error) {
      if (error instanceof Mispredicted) pipelined = false;
      else if (!(error instanceof Raced)) throw error;
    }
  }
}

/** What became of events that the fast path has applied. */
export function allFresh(events: number): Applied {
  return { fresh: events, stale: 0, gaps: [], tasks: false };
}

/**
 * As `applyBatch`, within the caller's transaction and without the fast path. Rejects with `Raced`, and `Mispredicted` where hooks may
 * be pipelined: roll back and call again.
 */
export async function applyEvents(
  client: PoolClient,
  context: ApplyContext,
  events: readonly Incoming[],
): Promise<Applied> {
  const { model } = context;
  const known = await lockStates(client, model.scope, [...new Set(events.map((event) => event.id))]);
  const plan = planBatch(model, await dropDuplicates(client, model, events), known);
  refuseGaps(context, plan);
  const unheard = await settleUnheard(client, model, plan, known);
  const unversioned = await settleTold(client, model, plan);
  const late = [...unheard.late, ...unversioned.late];
  const told = new Set([...unheard.told, ...unversioned.told]);
  const gaps = [...plan.gaps];
  const [first, ...others] = events;
  // Exact or none: of several events, rows that are written together do not tell which one caused what follows.
  const cause: TransactionCause = { current: NO_CAUSE };
  await callHandlers(client, { ...context, cause }, late);
  for (const phase of plan.phases) {
    cause.current = first === undefined || others.length > 0 ? NO_CAUSE : printedCause(first);
    await writeStates(client, model.scope, phase.states, { known, cause: cause.current });
    if (phase.removals.size > 0) await removeInPhase(client, { ...context, cause }, phase);
    const upserts = await removeOutside(client, model, [...phase.upserts.values()]);
    const settled = context.settleConflicts ? await settleUniqueConflicts(client, model, upserts) : upserts;
    gaps.push(...(await writeRows(client, model, settled)));
    const due = told.size === 0 ? phase.handled : phase.handled.filter((event) => !told.has(event));
    await callHandlers(client, { ...context, cause }, due);
  }
  if (gaps.length > 0) await wantSnapshot(client, model, gaps);
  return {
    fresh: plan.fresh + late.length,
    stale: events.length - plan.fresh - late.length,
    gaps,
    tasks: writesTasks(model, plan),
  };
}

/** The hook of a deletion that a re-creation implies is called as if a snapshot had found the deletion. */
async function removeInPhase(
  client: PoolClient,
  context: ApplyContext & { readonly cause: TransactionCause },
  { removals, implied }: Phase,
): Promise<void> {
  const { model, logger, cause } = context;
  const deletions = [...implied].map(([id, { seq }]) => ({ id, seq }));
  const lost = await lostDeletions(client, model, { deletions, logger });
  await removeByCause(client, model, { removals, cause });
  await callHandlers(client, { ...context, origin: "snapshot", causedBy: implied }, lost);
}

function refuseGaps({ gapsAllowed }: ApplyContext, { afterGap }: BatchPlan): void {
  if (gapsAllowed === undefined) return;
  const refused = afterGap.filter((event) => !gapsAllowed.has(event.seq));
  if (refused.length > 0) throw new VersionGap(refused);
}

function writesTasks(model: ConsumerModel, { phases }: BatchPlan): boolean {
  return (
    phases.some((phase) => phase.removals.size > 0) &&
    cascadesOf(model).some((rule) => rule.before !== undefined)
  );
}
