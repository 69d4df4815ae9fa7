import type { Pool, PoolClient } from "pg";
import { HandlerFailed, isInfrastructureFailure, isRowRefused } from "../database/database-errors.js";
import type { Mutex } from "../database/mutex.js";
import { CommitRefused } from "../database/transaction.js";
import type { Logger } from "../definition/hook-definition.js";
import { Raced } from "../inbox/apply-errors.js";
import type { ConsumerModel } from "../inbox/consumer-model.js";
import type { HandlerCalls } from "../inbox/handlers.js";
import { messageOf } from "../text/error-message.js";
import { arrayLiteral } from "../values/array-literal.js";
import { type SetAside, textOf, type UnfitRow } from "./unfit-rows.js";

/*
 * A snapshot that is being taken, and how its work is cut into transactions.
 */

export interface SnapshotReport {
  /** Elements that the source has. */
  readonly rows: number;
  /** Rows that were not here, or not like that; without a cache, entities that were not known to exist. */
  readonly written: number;
  /** Rows, or without a cache known entities, that the source no longer has. */
  readonly removed: number;
  /** Rows of the source that could not be taken: what is here of each stays as it is, and `mesh status` names them. */
  readonly unfit: number;
  /** Of those, rows whose hook threw; the next snapshot, soon, finds them again. */
  readonly failed: number;
  /** Entities that are known here at versions beyond their source's; what the source has of them was skipped. */
  readonly ahead: number;
  /** Entities whose versions here were taken back, because the source was to be trusted. */
  readonly overruled: number;
  /** Effective sequence noted before the source was read. */
  readonly seq: number;
  readonly ms: number;
}

export interface SnapshotOptions {
  readonly pool: Pool;
  readonly model: ConsumerModel;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly logger: Logger;
  readonly signal: AbortSignal;
  /** Effective sequence of the stream's last message now. Asked once the lock is held, before the source is read. */
  readonly noteSeq: () => Promise<number>;
  /** Whether every message up to this effective sequence was delivered and is settled. Undefined: do not wait for that. */
  readonly settledUpTo?: (seq: number) => Promise<boolean>;
  /** The process's mutex for batches and chunks of snapshots: both lock many rows of the same tables. */
  readonly exclusively: Mutex;
  /** Cascade tasks were written, and are committed. */
  readonly onTasks: () => void;
  /** Unique conflicts were settled: rows may be left with placeholder values. */
  readonly onPlaceholder: () => void;
  readonly hookTimeoutMs?: number | undefined;
  /** Takes the source's word where the guard knows later versions. */
  readonly trustSource?: boolean;
  /** Processes that are started together come up in any order: that the source does not answer is no failure yet. */
  readonly isStarting?: boolean;
}

export interface Run extends SnapshotOptions {
  readonly client: PoolClient;
  readonly seq: number;
  readonly handlers: HandlerCalls;
  readonly setAside: SetAside;
}

export interface Outcome {
  readonly done: number;
  /** Set aside because a hook of theirs threw. */
  readonly failed: number;
}

/** `ordinal` and `element` where it comes from a source. */
export interface Item {
  readonly id: string;
  readonly ordinal?: number;
  readonly element?: object;
}

export interface Work<T extends Item> {
  readonly items: readonly T[];
  /** Opens the transaction itself, so that it can ask for more in the same breath. */
  readonly work: (part: readonly T[]) => Promise<number>;
}

/**
 * In one transaction; where a hook throws or PostgreSQL refuses a row, in halves, until only that row is set aside.
 * Deadlocks and races start over.
 */
export async function inParts<T extends Item>(run: Run, whole: Work<T>): Promise<Outcome> {
  const { items, work } = whole;
  const inTransaction = async () => {
    const done = await work(items);
    const { command } = await run.client.query("COMMIT");
    // Else the work would count as done that a hook's hidden error undid, and ids of the snapshot as lacking.
    if (command !== "COMMIT") throw new CommitRefused("a hook went on after a statement of its own failed");
    return done;
  };
  for (let attempt = 1; ; attempt += 1) {
    try {
      return { done: await run.exclusively(inTransaction), failed: 0 };
    } catch (error) {
      await run.client.query("ROLLBACK");
      if ((error instanceof Raced || isInfrastructureFailure(error)) && attempt < 5) continue;
      if (!isOfOneRow(error)) throw error;
      const [only] = items;
      if (items.length === 1 && only !== undefined) return await leaveOut(run, only, error);
      const middle = items.length >> 1;
      const first = await inParts(run, { ...whole, items: items.slice(0, middle) });
      const second = await inParts(run, { ...whole, items: items.slice(middle) });
      return { done: first.done + second.done, failed: first.failed + second.failed };
    }
  }
}

/** The rows of one part are to blame, one of them at least; not the database, nor the deployment. */
function isOfOneRow(error: unknown): boolean {
  return (
    error instanceof HandlerFailed ||
    error instanceof CommitRefused ||
    error instanceof RowRefused ||
    isRowRefused(error)
  );
}

async function leaveOut(run: Run, { id, ordinal, element }: Item, error: unknown): Promise<Outcome> {
  const isHooks = error instanceof HandlerFailed || error instanceof CommitRefused;
  const reason = isHooks ? `its hook failed: ${messageOf(error)}` : messageOf(error);
  const text = element === undefined ? null : textOf(element);
  await setAsideRows(run, [{ ordinal: ordinal ?? null, id, reason, element: text }]);
  return { done: 0, failed: isHooks ? 1 : 0 };
}

/** The source has these rows all the same: ids that are known must not count as lacking. */
export async function setAsideRows({ client, setAside }: Run, rows: readonly UnfitRow[]): Promise<void> {
  if (rows.length === 0) return;
  setAside.add(rows);
  const ids = rows.flatMap(({ ordinal, id }) => (ordinal === null || id === null ? [] : [id]));
  if (ids.length > 0)
    await client.query(
      'INSERT INTO "$snapshot" (entity_id, unfit) SELECT pg_catalog.unnest($1::text[]), true',
      [arrayLiteral(ids)],
    );
}

/** A row that cannot stand beside another one of the same snapshot. */
export class RowRefused extends Error {
  override readonly name = "RowRefused";
}
