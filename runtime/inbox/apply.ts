import type { Pool, PoolClient } from "pg";
import { callHook, HOOK_MS } from "../cascade/hook-call.js";
import { arrayLiteral } from "../database/columns.js";
import { HandlerFailed } from "../database/database-errors.js";
import { inTransaction } from "../database/transaction.js";
import type { Logger, Tx } from "../definition.js";
import { lostDeletions } from "../resync/implied-hooks.js";
import { plural } from "../text/plural.js";
import { Early, Raced } from "./apply-errors.js";
import { type ConsumerModel, cascadesOf } from "./consumer-model.js";
import { applyPrepared, type PlainBatch, preparePlain } from "./fast-path.js";
import {
  canInsert,
  cascade,
  LOCK_STATES,
  READ_STATES,
  REMEMBER_EVENTS,
  removeRows,
  type Statement,
  shapeOf,
  updateRows,
  upsertRows,
  WRITE_STATES,
} from "./inbox-statements.js";
import type { Newcomers } from "./insert-throttle.js";
import type { EntityState } from "./order.js";
import type { Incoming } from "./parse.js";
import { type Folded, foldEvents, type Round, type Upsert } from "./plan-batch.js";
import { settleClashes } from "./unique-conflict.js";

export interface ApplyContext {
  readonly pool: Pool;
  readonly model: ConsumerModel;
  readonly logger: Logger;
  readonly origin: "event" | "snapshot";
  /** Where it is missing nothing is taken for new. */
  readonly newcomers?: Newcomers;
  /** Made ahead, of the batch that the events are part of: serves while they are all of it. */
  readonly prepared?: PlainBatch | undefined;
  /** Looks for unique values that another row holds, and parks one of the two, before it writes. */
  readonly settleClashes?: true;
  /** Rejects with `Early` instead of applying an event that leaves a gap, unless its sequence is one of these. */
  readonly mayLeaveGap?: ReadonlySet<number> | undefined;
  /** How long a hook may take; a minute. */
  readonly hookTimeoutMs?: number | undefined;
}

export interface Applied {
  readonly fresh: number;
  readonly stale: number;
  /** Why a snapshot is wanted; empty when the cache lacks nothing. */
  readonly gaps: readonly string[];
  /** Rows may have been put down for the cascade worker. */
  readonly tasks: boolean;
}

/** Applies a batch as a whole: everything, once, in one transaction; or nothing, and rejects. */
export async function applyBatch(
  pool: Pool,
  context: ApplyContext,
  events: readonly Incoming[],
): Promise<Applied> {
  const { prepared } = context;
  const plain = prepared?.events === events.length ? prepared : preparePlain(context, events);
  if (plain !== undefined && (await applyPrepared(pool, context, plain)))
    return { fresh: events.length, stale: 0, gaps: [], tasks: false };
  for (;;) {
    try {
      return await inTransaction(pool, (client) => applyEvents(client, context, events));
    } catch (error) {
      if (!(error instanceof Raced)) throw error;
    }
  }
}

/** Within the caller's transaction: reads and locks the states, decides, writes, calls the hooks. */
export async function applyEvents(
  client: PoolClient,
  context: ApplyContext,
  events: readonly Incoming[],
): Promise<Applied> {
  const { model } = context;
  const known = await lockStates(client, model.definition.entity, [
    ...new Set(events.map((event) => event.id)),
  ]);
  const news = await withoutDuplicates(client, events);
  const folded = foldEvents(model, news, known);
  refuseEarly(context, folded);
  const gaps = [...folded.gaps];
  for (const round of folded.rounds) {
    await writeStates(client, model.definition.entity, round.states, known);
    if (round.removals.size > 0) await removeRound(client, context, round);
    const upserts = [...round.upserts.values()];
    const settled = context.settleClashes === true ? await settleClashes(client, model, upserts) : upserts;
    gaps.push(...(await writeRows(client, model, settled)));
    await callHandlers(client, context, round.handled);
  }
  if (gaps.length > 0) await wantSnapshot(client, model, gaps);
  return {
    fresh: folded.fresh,
    stale: events.length - folded.fresh,
    gaps,
    tasks: putsDownTasks(model, folded),
  };
}

/** The hook of a deletion that a re-creation implies runs as if a snapshot had found it. */
async function removeRound(
  client: PoolClient,
  context: ApplyContext,
  { removals, implied }: Round,
): Promise<void> {
  const { model, logger } = context;
  const places = [...implied].map(([id, { seq }]) => ({ id, seq }));
  const lost = await lostDeletions(client, model, { places, logger });
  await removeEntities(client, model, [...removals]);
  await callHandlers(client, { ...context, origin: "snapshot" }, lost);
}

function refuseEarly({ mayLeaveGap }: ApplyContext, { early }: Folded): void {
  if (mayLeaveGap === undefined) return;
  const refused = early.filter((event) => !mayLeaveGap.has(event.seq));
  if (refused.length > 0) throw new Early(refused);
}

export async function lockStates(
  client: PoolClient,
  entity: string,
  ids: readonly string[],
): Promise<Map<string, EntityState>> {
  return await selectStates(client, LOCK_STATES, [entity, arrayLiteral(ids)]);
}

/** As they stand; they may be others a moment later. */
export async function readStates(
  tx: Tx,
  entity: string,
  ids: readonly string[],
): Promise<Map<string, EntityState>> {
  return await selectStates(tx, READ_STATES, [entity, arrayLiteral(ids)]);
}

type StateRow = [
  id: string,
  version: string | null,
  versioned: boolean,
  deleted: boolean,
  seq: string | null,
];

async function selectStates(tx: Tx, text: string, values: string[]): Promise<Map<string, EntityState>> {
  const { rows } = await tx.query<StateRow>({ text, values, rowMode: "array" });
  return new Map(
    rows.map(([id, version, versioned, deleted, seq]) => [
      id,
      { version: toNumber(version), versioned, deleted, seq: toNumber(seq) },
    ]),
  );
}

function toNumber(text: string | null): number | null {
  return text === null ? null : Number(text);
}

/** Drops events without a version that were applied before, under whatever sequence, or stand twice in the batch. */
async function withoutDuplicates(
  client: PoolClient,
  events: readonly Incoming[],
): Promise<readonly Incoming[]> {
  const unversioned = new Map<string, Incoming>();
  for (const event of events) {
    if (event.version !== null) continue;
    const id = identityOf(event);
    if (!unversioned.has(id)) unversioned.set(id, event);
  }
  if (unversioned.size === 0) return events;
  const { rows } = await client.query<{ event_id: string }>(REMEMBER_EVENTS, [
    arrayLiteral([...unversioned.keys()]),
  ]);
  const unseen = new Set(rows.map((row) => row.event_id));
  return events.filter((event) => {
    if (event.version !== null) return true;
    const id = identityOf(event);
    return unseen.has(id) && unversioned.get(id) === event;
  });
}

/** With the subject, since a foreign publisher may fill in one `event_id` for all: the documented placeholder. */
function identityOf(event: Incoming): string {
  return `${event.event.metadata.event_id} ${event.subject}`;
}

/** Alone and first: it waits for whoever is attaching rows, and the statements of the cascades then see those rows. */
export async function writeStates(
  client: PoolClient,
  entity: string,
  states: ReadonlyMap<string, EntityState>,
  known: Map<string, EntityState>,
): Promise<void> {
  const ids = [...states.keys()].sort();
  const column = (pick: (state: EntityState) => unknown) =>
    arrayLiteral(
      ids.map((id) => {
        const state = states.get(id);
        return state === undefined ? null : pick(state);
      }),
    );
  const { rows } = await client.query<{ added: number }>(WRITE_STATES, [
    entity,
    arrayLiteral(ids),
    column((state) => state.version),
    column((state) => state.versioned),
    column((state) => state.deleted),
    column((state) => state.seq),
  ]);
  const expected = ids.filter((id) => !known.has(id)).length;
  if (rows[0]?.added !== expected)
    throw new Raced("an entity was heard of for the first time by two at once");
  for (const [id, state] of states) known.set(id, state);
}

/** Cascades in the order of the file, then the copy itself. */
export async function removeEntities(
  client: PoolClient,
  model: ConsumerModel,
  ids: readonly string[],
): Promise<void> {
  for (const rule of cascadesOf(model)) await run(client, cascade(rule, model.definition.entity, ids));
  if (model.cache !== undefined) await run(client, removeRows(model.cache, ids));
}

/** Gives the reasons why a row could not be made whole. */
async function writeRows(
  client: PoolClient,
  model: ConsumerModel,
  upserts: readonly Upsert[],
): Promise<readonly string[]> {
  const { cache } = model;
  if (cache === undefined || upserts.length === 0) return [];
  const shapes = new Map<string, Upsert[]>();
  for (const upsert of [...upserts].sort((a, b) => a.seq - b.seq)) {
    const shape = shapeOf(upsert);
    const rows = shapes.get(shape);
    if (rows === undefined) shapes.set(shape, [upsert]);
    else rows.push(upsert);
  }
  const gaps: string[] = [];
  for (const [shape, rows] of shapes) {
    const whole = shape.startsWith("+");
    if (whole || canInsert(cache, shape)) {
      const { rows: counts } = await run(client, upsertRows(cache, shape, rows));
      const added = Number(counts[0]?.added ?? 0);
      if (!whole && added > 0) gaps.push(`${plural(added, "new row")} of ${cache.table.name} came in part`);
    } else {
      const { rowCount } = await run(client, updateRows(cache, shape, rows));
      const missing = rows.length - (rowCount ?? 0);
      if (missing > 0) gaps.push(`${plural(missing, "missing row")} of ${cache.table.name} came in part`);
    }
  }
  return gaps;
}

export async function callHandlers(
  client: PoolClient,
  context: ApplyContext,
  events: readonly Incoming[],
): Promise<void> {
  const { logger, origin, pool, hookTimeoutMs: timeoutMs = HOOK_MS } = context;
  for (const { event, subject, seq, model } of events) {
    const { handler } = model.definition;
    if (handler === undefined) continue;
    const call = (tx: Tx) => handler({ event: event as never, tx, subject, logger, origin });
    try {
      await callHook({ client, pool, timeoutMs, call });
    } catch (error) {
      throw new HandlerFailed(seq, error);
    }
  }
}

/** Written with the events that showed it: a crash cannot lose it, and the next snapshot answers it. */
export async function wantSnapshot(tx: Tx, model: ConsumerModel, gaps: readonly string[]): Promise<void> {
  await tx.query("UPDATE mesh.subscription SET snapshot_wanted = $2 WHERE durable = $1", [
    model.definition.durable,
    gaps.slice(0, 3).join("; "),
  ]);
}

function putsDownTasks(model: ConsumerModel, { rounds }: Folded): boolean {
  return (
    rounds.some((round) => round.removals.size > 0) &&
    cascadesOf(model).some((rule) => rule.before !== undefined)
  );
}

export async function run(client: PoolClient, { text, values }: Statement) {
  return await client.query<{ added?: number }>(text, [...values]);
}
