import { escapeIdentifier, type Pool, type PoolClient, type QueryResult } from "pg";
import { keyColumns, keyIs, keyParameters } from "../database/key.js";
import { deletionSql } from "../database/soft-deletion.js";
import { inTransaction } from "../database/transaction.js";
import type { CascadeDefinition } from "../definition/consumer-definition.js";
import { inlined } from "../inbox/inlined.js";
import type { Statement } from "../inbox/row-statements.js";
import { NO_CAUSE } from "../telemetry/transaction-cause.js";
import { splitId } from "../values/entity-id.js";

/*
 * What follows a hook that succeeded: its row and its task are deleted together, and the row's own event is written with
 * them. Hooks that end while a transaction commits are finished in the next one, all together.
 */

export interface Task {
  readonly id: string;
  readonly entity: string;
  readonly entity_id: string;
  readonly hook: string;
  readonly table_name: string;
  readonly row_key: string;
  readonly cause: string | null;
  readonly attempts: number;
}

/** The task is none that this version of the service can perform: its row cannot be told, or no rule removes it. */
export class UnknownTask extends Error {}

export interface Finished {
  readonly rule: CascadeDefinition;
  readonly task: Task;
}

/** Rejects where this task cannot be finished, whatever becomes of the others. */
export type FinishTask = (finished: Finished) => Promise<void>;

interface Waiting extends Finished {
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** One round trip; its locks are held until the last of them. */
const IN_ONE_TRANSACTION = 100;

export function createTaskFinisher(pool: Pool): FinishTask {
  let waiting: Waiting[] = [];
  let isCommitting = false;
  const commitAll = async () => {
    if (isCommitting) return;
    isCommitting = true;
    while (waiting.length > 0) {
      const together = waiting.slice(0, IN_ONE_TRANSACTION);
      waiting = waiting.slice(IN_ONE_TRANSACTION);
      await finishTogether(pool, together);
    }
    isCommitting = false;
  };
  return (finished) =>
    new Promise((resolve, reject) => {
      waiting.push({ ...finished, resolve, reject });
      void commitAll();
    });
}

/** Where that fails, each by itself. */
async function finishTogether(pool: Pool, tasks: readonly Waiting[]): Promise<void> {
  try {
    await inTransaction(pool, (client) => finish(client, tasks));
    for (const { resolve } of tasks) resolve();
  } catch (error) {
    const [only] = tasks;
    if (tasks.length > 1) for (const task of tasks) await finishTogether(pool, [task]);
    else if (error instanceof AnotherRow) only?.resolve();
    else only?.reject(error);
  }
}

/** The task ended with its row, and the row that has the key by now is none that its hook was called for. */
class AnotherRow extends Error {}

/**
 * Deletes the rows with their tasks. A row that refers to another entity by now, or is gone, is left alone, and so is another row that
 * was inserted under its key: where that is pending deletion too, the task has become that row's, and is due.
 */
async function finish(client: PoolClient, finished: readonly Finished[]): Promise<void> {
  const deletions = finished.flatMap(({ rule, task }) => [
    { text: "SELECT mesh.set_cause($1)", values: [task.cause ?? NO_CAUSE] },
    { text: deletionSql(rule.table, [isPending(rule)]), values: pendingParameters(rule, task) },
  ]);
  const done = finished.flatMap(({ task: { id, entity, entity_id } }) => [
    {
      text: "DELETE FROM mesh.cascade_task WHERE id = $1 AND entity = $2 AND entity_id = $3",
      values: [id, entity, entity_id],
    },
    { text: "UPDATE mesh.cascade_task SET leased_until = NULL WHERE id = $1", values: [id] },
  ]);
  const counts = await countsOf(client, [...deletions, ...done]);
  for (const index of finished.keys()) {
    const [rows, tasks, kept] = [
      2 * index + 1,
      deletions.length + 2 * index,
      deletions.length + 2 * index + 1,
    ];
    if (counts[rows] !== 0 && counts[tasks] === 0 && counts[kept] === 0) throw new AnotherRow();
  }
}

/** How many rows each of the statements wrote, in one round trip. */
async function countsOf(client: PoolClient, statements: readonly Statement[]): Promise<(number | null)[]> {
  // The driver's types do not know that several statements have several results.
  const results: unknown = await client.query(statements.map(inlined).join(";\n"));
  return (results as readonly QueryResult[]).map(({ rowCount }) => rowCount);
}

/** SQL: whether `"$t"` is the task's row, and still refers to its entity. */
export function isPending({ table, column }: CascadeDefinition): string {
  return `"$t".${escapeIdentifier(column)}::text = $1 AND ${keyIs(keyColumns(table), '"$t"', 2)}`;
}

export function pendingParameters({ table }: CascadeDefinition, task: Task): (string | null)[] {
  const key = keyColumns(table);
  if (splitId(task.row_key, key.length) === undefined) {
    const names = key.map(({ name }) => name).join(", ");
    throw new UnknownTask(`"${task.row_key}" is no key of ${table.name} (${names})`);
  }
  return [task.entity_id, ...keyParameters(key, task.row_key)];
}
