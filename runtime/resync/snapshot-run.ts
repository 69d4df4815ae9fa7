import type { PoolClient } from "pg";
import { arrayLiteral } from "../database/columns.js";
import { HandlerFailed, isInfrastructureFailure, isRowRefused } from "../database/database-errors.js";
import { CommitRefused } from "../database/transaction.js";
import type { ApplyContext } from "../inbox/apply.js";
import { Raced } from "../inbox/apply-errors.js";
import { messageOf } from "../text/error-message.js";
import type { SnapshotOptions } from "./snapshot.js";
import { type SetAside, textOf, type UnfitRow } from "./unfit-rows.js";

/*
 * A snapshot that is being taken, and how its work is cut into transactions.
 */

export interface Run extends SnapshotOptions {
  readonly client: PoolClient;
  readonly seq: number;
  readonly apply: ApplyContext;
  readonly setAside: SetAside;
}

export interface Outcome {
  readonly done: number;
  /** Set aside because a hook of theirs threw. */
  readonly failed: number;
}

/** What work is done for; `place` and `element` where a source told of it. */
export interface Item {
  readonly id: string;
  readonly place?: number;
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
    // What a hook hid would otherwise be taken for done, and the ids that were told for missing.
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

async function leaveOut(run: Run, { id, place, element }: Item, error: unknown): Promise<Outcome> {
  const isHooks = error instanceof HandlerFailed || error instanceof CommitRefused;
  const reason = isHooks ? `its hook failed: ${messageOf(error)}` : messageOf(error);
  const told = element === undefined ? null : textOf(element);
  await setAsideRows(run, [{ place: place ?? null, id, reason, element: told }]);
  return { done: 0, failed: isHooks ? 1 : 0 };
}

/** The source has them all the same: those whose id is known must not be taken for missing. */
export async function setAsideRows({ client, setAside }: Run, rows: readonly UnfitRow[]): Promise<void> {
  if (rows.length === 0) return;
  setAside.add(rows);
  const ids = rows.flatMap(({ place, id }) => (place === null || id === null ? [] : [id]));
  if (ids.length > 0)
    await client.query('INSERT INTO "$told" (entity_id, unfit) SELECT unnest($1::text[]), true', [
      arrayLiteral(ids),
    ]);
}

/** A row that cannot stand beside another one of the same snapshot. */
export class RowRefused extends Error {
  override readonly name = "RowRefused";
}
