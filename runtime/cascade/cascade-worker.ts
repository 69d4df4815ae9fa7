import { escapeLiteral, type Pool } from "pg";
import { backOff } from "../back-off.js";
import { relationOf } from "../database/relation.js";
import { livingRows } from "../database/soft-deletion.js";
import type { CascadeDefinition, ConsumerDefinition } from "../definition/consumer-definition.js";
import type { BeforeContext, Logger } from "../definition/hook-definition.js";
import { buildModel, cascadesOf } from "../inbox/consumer-model.js";
import { pause } from "../pause.js";
import { messageOf } from "../text/error-message.js";
import { wireRow } from "../values/values.js";
import {
  createTaskFinisher,
  type FinishTask,
  isPending,
  pendingParameters,
  type Task,
  UnknownTask,
} from "./finish-tasks.js";

/*
 * Cascade tasks: rows pending deletion whose `before` hook has to succeed first. Tasks are leased, so any number of
 * replicas share them. A hook is called at least once per row, outside any transaction; what follows is in
 * `finish-tasks.ts`. Attempts are unlimited: a hook that never succeeds keeps its row, and `last_error` says why.
 */

export interface CascadeWorkerOptions {
  readonly pool: Pool;
  readonly consumers: readonly ConsumerDefinition[];
  readonly logger: Logger;
  /** How many hooks are called at once. Default 8. */
  readonly parallel?: number;
  /** A call that takes longer, in ms, is aborted and counts as failed. Default 60000. */
  readonly timeoutMs?: number;
  /** Poll interval in ms, for tasks whose wake-up was missed. Default 5000. */
  readonly pollMs?: number;
  /** Back-off in ms before the second attempt; doubled from then on up to five minutes. Default 1000. */
  readonly backoffMs?: number;
}

export interface CascadeWorkerStats {
  readonly running: number;
  readonly done: number;
  readonly failed: number;
  readonly lastError: string | undefined;
}

export interface CascadeWorker {
  /** Looks for tasks now. Call it after a commit that may have written some. */
  wake(): void;
  stats(): CascadeWorkerStats;
  /** Aborts the calls under way; their tasks are due again at once. */
  stop(): Promise<void>;
}

interface Worker {
  readonly options: Required<CascadeWorkerOptions>;
  /** Rules that remove rows, by the entity whose deletion they follow. */
  readonly rules: ReadonlyMap<string, readonly CascadeDefinition[]>;
  readonly stopping: AbortController;
  /** Those whose hook is being called, and those that are being finished. */
  readonly running: Set<Promise<void>>;
  /** Ids of the tasks that are leased here. */
  readonly leased: Set<string>;
  /** Leased, and not begun yet. */
  waiting: Task[];
  /** When tasks were leased last, by `performance.now()`. */
  leasedAt: number;
  /** How many hooks are being called. */
  calling: number;
  readonly finish: FinishTask;
  readonly tally: { done: number; failed: number; lastError: string | undefined };
}

/** Jitter makes of this five minutes at most. */
const LONGEST_BACKOFF_MS = 200_000;
/** Short, and renewed while a hook is running: the tasks of a killed process are taken over after 15 s. */
const LEASE_SECONDS = 15;
const RENEW_MS = 4_000;
/** Longer than any back-off or lease: the database's clock was set back since, and the task is due. */
const BEYOND_SECONDS = 600;

export function startCascadeWorker(given: CascadeWorkerOptions): CascadeWorker {
  const options = { parallel: 8, timeoutMs: 60_000, pollMs: 5_000, backoffMs: 1_000, ...given };
  const worker: Worker = {
    options,
    rules: collectRules(options.consumers),
    stopping: new AbortController(),
    running: new Set(),
    leased: new Set(),
    waiting: [],
    leasedAt: Number.NEGATIVE_INFINITY,
    calling: 0,
    finish: createTaskFinisher(options.pool),
    tally: { done: 0, failed: 0, lastError: undefined },
  };
  let nap = new AbortController();
  const wake = () => nap.abort();
  const nextNap = () => {
    nap = new AbortController();
    return nap.signal;
  };
  // Also without a hook: an earlier version of the service may have had one, whose tasks wait.
  const ended = worker.rules.size === 0 ? Promise.resolve() : workOn(worker, nextNap, wake);
  const renewal = setInterval(() => {
    void handBack(worker);
    void renewLeases(worker);
  }, RENEW_MS);
  renewal.unref();
  return {
    wake,
    stats: () => ({ running: worker.calling, ...worker.tally }),
    async stop() {
      worker.stopping.abort(new Error("the service is stopping"));
      wake();
      await ended;
      await handBack(worker);
      await Promise.all(worker.running);
      clearInterval(renewal);
    },
  };
}

function collectRules(
  consumers: readonly ConsumerDefinition[],
): ReadonlyMap<string, readonly CascadeDefinition[]> {
  const rules = new Map<string, readonly CascadeDefinition[]>();
  for (const definition of consumers) {
    const removing = cascadesOf(buildModel(definition)).filter(({ action }) => action === "delete");
    rules.set(definition.entity, [...(rules.get(definition.entity) ?? []), ...removing]);
  }
  return rules;
}

/**
 * The rules that may have written the task: those with its hook, one for each column, or else those that remove rows of its table now,
 * under whatever hook: it was renamed, replaced or taken away since.
 */
function rulesFor({ rules }: Worker, task: Task): readonly CascadeDefinition[] {
  const ofTable = (rules.get(task.entity) ?? []).filter(({ table }) => table.name === task.table_name);
  const named = ofTable.filter(({ before }) => before?.name === task.hook);
  return named.length > 0 ? named : ofTable;
}

async function workOn(worker: Worker, nextNap: () => AbortSignal, wake: () => void): Promise<void> {
  const { options, stopping, tally } = worker;
  let unread: string | undefined;
  while (!stopping.signal.aborted) {
    // Before the query: a wake-up that comes during it must not be missed.
    const nap = nextNap();
    try {
      if (worker.waiting.length === 0 && worker.calling < options.parallel) {
        await leaseTasks(worker);
        // Of a database that was away: nobody else would take it back where no task waits.
        if (tally.lastError === unread) tally.lastError = undefined;
        unread = undefined;
      }
    } catch (error) {
      unread = messageOf(error);
      tally.lastError = unread;
      options.logger.warn({ error: tally.lastError }, "cascade tasks could not be read");
      await pause(1_000, stopping.signal);
    }
    begin(worker, wake);
    await pause(options.pollMs, nap);
  }
}

function begin(worker: Worker, wake: () => void): void {
  const { options, stopping, running, leased } = worker;
  while (!stopping.signal.aborted && worker.calling < options.parallel) {
    const task = worker.waiting.shift();
    if (task === undefined) return;
    const done = performTask(worker, task, wake).finally(() => {
      running.delete(done);
      leased.delete(task.id);
      wake();
    });
    running.add(done);
  }
}

/** While hooks are quick: so many at once, by one statement and not one each. Slow ones are left for the replicas that have time for them. */
const LEASED_AHEAD = 32;
const QUICK_MS = 500;

/** `attempts` is counted with the lease: a hook that kills the process backs off too. */
async function leaseTasks(worker: Worker): Promise<void> {
  const { options, stopping, leased, waiting } = worker;
  if (stopping.signal.aborted) return;
  const isQuick = performance.now() - worker.leasedAt < QUICK_MS;
  worker.leasedAt = performance.now();
  const { rows } = await options.pool.query<Task>(
    `UPDATE mesh.cascade_task SET attempts = attempts + 1, leased_until = now() + pg_catalog.make_interval(secs => $2)
WHERE id IN (
  SELECT id FROM mesh.cascade_task
  WHERE (next_at <= now() OR next_at > now() + pg_catalog.make_interval(secs => $4))
    AND (leased_until IS NULL OR leased_until < now() OR leased_until > now() + pg_catalog.make_interval(secs => $4))
    AND entity = ANY ($3)
  ORDER BY next_at LIMIT $1 FOR UPDATE SKIP LOCKED)
RETURNING id, entity, entity_id, hook, table_name, row_key, cause::text, attempts`,
    [
      options.parallel - worker.calling + (isQuick ? LEASED_AHEAD : 0),
      LEASE_SECONDS,
      options.consumers.map((definition) => definition.entity),
      BEYOND_SECONDS,
    ],
  );
  for (const task of rows) {
    leased.add(task.id);
    waiting.push(task);
  }
}

/** Tasks that were not begun for long are due again at once, and this was no attempt. */
async function handBack(worker: Worker): Promise<void> {
  const ids = worker.waiting.splice(0).map(({ id }) => id);
  if (ids.length === 0) return;
  for (const id of ids) worker.leased.delete(id);
  try {
    await worker.options.pool.query(
      "UPDATE mesh.cascade_task SET attempts = attempts - 1, leased_until = NULL WHERE id = ANY ($1::bigint[])",
      [ids],
    );
  } catch (error) {
    worker.options.logger.debug({ error: messageOf(error) }, "cascade tasks wait for the end of their lease");
  }
}

async function renewLeases({ options, leased }: Worker): Promise<void> {
  if (leased.size === 0) return;
  try {
    await options.pool.query(
      "UPDATE mesh.cascade_task SET leased_until = now() + pg_catalog.make_interval(secs => $2) WHERE id = ANY ($1::bigint[]) AND leased_until IS NOT NULL",
      [[...leased], LEASE_SECONDS],
    );
  } catch (error) {
    // Another worker may then call the hook too; hooks are documented to be called at least once.
    options.logger.debug({ error: messageOf(error) }, "leases of cascade tasks could not be renewed");
  }
}

/** `onCalled`: another hook may be called. */
async function performTask(worker: Worker, task: Task, onCalled: () => void): Promise<void> {
  const { options, tally } = worker;
  const logger = options.logger.child({ hook: task.hook, row: task.row_key });
  try {
    const rule = await callHookOf(worker, task, logger).finally(onCalled);
    await worker.finish({ rule, task });
    tally.done += 1;
    tally.lastError = undefined;
  } catch (error) {
    tally.failed += 1;
    tally.lastError = messageOf(error);
    const facts = { attempts: task.attempts, error: tally.lastError };
    if (error instanceof UnknownTask) logger.error(facts, "a row pending deletion stays");
    else logger.warn(facts, "a hook before a deletion failed; the row stays");
    await postponeTask(worker, task, tally.lastError);
  }
}

/** Calls it where the row is still there; gives the rule that removes the row. */
async function callHookOf(worker: Worker, task: Task, logger: Logger): Promise<CascadeDefinition> {
  worker.calling += 1;
  try {
    const possible = rulesFor(worker, task);
    const [first] = possible;
    if (first === undefined) throw new UnknownTask(nobodyRemoves(task));
    const found = await findPendingRow(worker.options.pool, possible, task);
    if (found !== undefined) await callHook(worker, found.rule, found.row, logger);
    return found?.rule ?? first;
  } finally {
    worker.calling -= 1;
  }
}

async function callHook(worker: Worker, rule: CascadeDefinition, row: object, logger: Logger): Promise<void> {
  const { stopping, options } = worker;
  const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(options.timeoutMs)]);
  // Stopped since the lease: a listener that is added now would never be called.
  signal.throwIfAborted();
  const context: BeforeContext<never> = { row: row as never, logger, signal };
  // A hook need not heed its signal; it is waited for no longer all the same.
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  await Promise.race([rule.before?.call(context), aborted]);
}

async function postponeTask({ options, stopping }: Worker, task: Task, error: string): Promise<void> {
  const delayAfter = backOff({ from: options.backoffMs, to: LONGEST_BACKOFF_MS });
  const delayMs = stopping.signal.aborted ? 0 : delayAfter(task.attempts - 1);
  try {
    await options.pool.query(
      `UPDATE mesh.cascade_task SET last_error = $2, leased_until = NULL, next_at = now() + pg_catalog.make_interval(secs => $3)
WHERE id = $1`,
      [task.id, error, delayMs / 1000],
    );
  } catch (cause) {
    options.logger.debug({ error: messageOf(cause) }, "a cascade task waits for the end of its lease");
  }
}

function nobodyRemoves({ entity, table_name, hook }: Task): string {
  return `no rule of this version of the service removes rows of ${table_name} for ${entity}, as one with the hook ${hook} did; let them stay with: DELETE FROM mesh.cascade_task WHERE hook = ${escapeLiteral(hook)}`;
}

/** By the column of which rule the row refers to the deleted entity. */
async function findPendingRow(
  pool: Pool,
  rules: readonly CascadeDefinition[],
  task: Task,
): Promise<{ readonly rule: CascadeDefinition; readonly row: object } | undefined> {
  for (const rule of rules) {
    const row = await readPendingRow(pool, rule, task);
    if (row !== undefined) return { rule, row };
  }
  return undefined;
}

async function readPendingRow(pool: Pool, rule: CascadeDefinition, task: Task): Promise<object | undefined> {
  const { table } = rule;
  const { rows } = await pool.query<{ row: string }>(
    `SELECT ${wireRow(table, '"$t"')} AS row FROM ${relationOf(table)} AS "$t"
WHERE ${[isPending(rule), ...livingRows(table, '"$t"')].join(" AND ")}`,
    pendingParameters(rule, task),
  );
  return rows[0] && JSON.parse(rows[0].row);
}
