import type { Pool } from "pg";
import { hasState } from "../database/database-errors.js";
import { withClient } from "../database/transaction.js";
import type { ConsumerModel } from "./consumer-model.js";
import { identityOf } from "./duplicates.js";
import {
  type FastPathCounts,
  type FastPathRow,
  fastPathStatement,
  type QuietDurable,
} from "./fast-path-statement.js";
import type { InsertThrottle } from "./insert-throttle.js";
import { membershipOf } from "./membership.js";
import type { Incoming } from "./parse.js";
import { cellsOf, isWhole } from "./plan-batch.js";
import { hasShapeOf, type Statement, shapeOf } from "./row-statements.js";

/*
 * The usual traffic in one statement: events that all carry a version, or none does, and every column, where nothing
 * but the cache is touched. Where order matters each event must be the next version of its entity: among the versions
 * that are missing may be a deletion. Without versions each must be a creation of what is not known here, or an update of what lives.
 */

export interface FastPathContext {
  readonly model: ConsumerModel;
  /** Undefined: no row is inserted as new without looking for a conflict. */
  readonly insertThrottle?: InsertThrottle;
}

/** May be prepared before it is due, while the database is still at work on the batch before. */
export interface FastPathBatch {
  /** Inserts what is created as new; undefined where that is not worth trying. */
  readonly optimistic: Statement | undefined;
  /** Undefined of events without versions, which are written all or none. */
  readonly guarded: (() => Statement) | undefined;
  /** How many entities the optimistic statement inserts as new. */
  readonly created: number;
  readonly entities: number;
}

/** Undefined where the events do not all fit the fast path. `provided`: see `FastPathRows`. */
export function prepareFastPath(
  context: FastPathContext,
  events: readonly Incoming[],
  provided?: QuietDurable,
): FastPathBatch | undefined {
  const { cache, scope } = context.model;
  const changes = mergeByEntity(context.model, events);
  const [first] = changes ?? [];
  if (cache === undefined || changes === undefined || first === undefined) return undefined;
  const { orderMatters } = context.model;
  const isVersioned = first.version !== null;
  const created = changes.filter((change) => change.isNew).length;
  const isOptimistic = (created > 0 || !isVersioned) && context.insertThrottle?.mayTry() === true;
  if (!isOptimistic && !isVersioned) return undefined;
  const toStatement = (rows: readonly FastPathRow[]) =>
    fastPathStatement({
      cache,
      entity: scope,
      shape: shapeOf(first),
      rows,
      identities: isVersioned ? undefined : events.map((event) => identityOf(context.model, event)),
      withoutGap: orderMatters && isVersioned,
      provided,
    });
  return {
    optimistic: isOptimistic ? toStatement(changes) : undefined,
    guarded: isVersioned
      ? () => toStatement(changes.map((change) => ({ ...change, isNew: false })))
      : undefined,
    created,
    entities: changes.length,
  };
}

/** What became of a batch on the fast path. */
export type FastPathOutcome =
  | "applied"
  /** One of the events may be stale: what was written stands, and the caller plans the whole batch. */
  | "left-some-out"
  /** The durable is not quiet: nothing was written. */
  | "not-quiet";

export async function applyFastPath(
  pool: Pool,
  { insertThrottle }: FastPathContext,
  { optimistic, guarded, created, entities }: FastPathBatch,
): Promise<FastPathOutcome> {
  if (optimistic !== undefined) {
    try {
      const counts = await write(pool, optimistic);
      if (guarded !== undefined || counts.written) {
        insertThrottle?.succeeded();
        return outcomeOf(counts, entities - created);
      }
      insertThrottle?.conflicted();
    } catch (error) {
      // The statement failed as a whole, so nothing was written.
      if (!hasState(error, "unique_violation")) throw error;
      insertThrottle?.conflicted();
    }
  }
  if (guarded === undefined) return "left-some-out";
  return outcomeOf(await write(pool, guarded()), entities);
}

function outcomeOf({ changed, written }: FastPathCounts, expected: number): FastPathOutcome {
  if (!written) return "not-quiet";
  return changed === expected ? "applied" : "left-some-out";
}

async function write(pool: Pool, { values, ...named }: Statement): Promise<FastPathCounts> {
  const query = { ...named, values: [...values] };
  const { rows } = await withClient(pool, (client) => client.query<FastPathCounts>(query));
  return rows[0] ?? { changed: 0, written: false };
}

/**
 * Of several events of one entity, in rising versions or, where none has one, in stream order, the last one carries all. Undefined unless
 * all have one shape. An entity whose first event here is its creation is new, unless something of it was applied before.
 */
export function mergeByEntity(
  model: ConsumerModel,
  events: readonly Incoming[],
): readonly FastPathRow[] | undefined {
  if (model.cache === undefined || !model.lastSaysAll) return undefined;
  const last = new Map<string, FastPathRow>();
  let one: FastPathRow | undefined;
  for (const event of events) {
    const { change, version, id } = event;
    if (change !== "update" && (change !== "create" || (version ?? 1) > 1)) return undefined;
    const cells = cellsOf(model, event);
    if (membershipOf(model.cache, cells) !== "inside") return undefined;
    const former = last.get(id);
    if (former !== undefined) {
      if (!mayFollow(model, former, event)) return undefined;
      // Put at the end: rows are written in the order of their last events.
      last.delete(id);
    }
    const upsert = {
      id,
      seq: event.seq,
      cells,
      whole: isWhole(event),
      version,
      first: former?.first ?? version,
      isNew: former?.isNew ?? change === "create",
    };
    one ??= upsert;
    if ((one.version === null) !== (version === null) || !hasShapeOf(one, upsert)) return undefined;
    last.set(id, upsert);
  }
  return [...last.values()];
}

function mayFollow(
  { orderMatters }: ConsumerModel,
  former: FastPathRow,
  { version, change }: Incoming,
): boolean {
  // A creation of what lives shows that a deletion between is missing.
  if (former.version === null || version === null) return former.version === version && change === "update";
  return former.version < version && !(orderMatters && former.version + 1 < version);
}
