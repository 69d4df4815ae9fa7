import type { Pool } from "pg";
import { SETTLED, type Settlement } from "../consumer/dead-letters.js";
import type { ConsumerDefinition } from "../definition/consumer-definition.js";
import { scopeOf } from "../inbox/scope.js";
import { isoTime, type RowStanding, rowStanding } from "./trace-owner.js";

/*
 * One entity at a subscriber: what it has applied, what it retries, what it gave up. Sequences are effective ones; times are ISO 8601.
 */

/** An event that failed and is tried again. */
export interface TracedRetry {
  readonly seq: number;
  readonly attempts: number;
  readonly error: string | null;
  readonly nextAt: string;
  readonly nextInSeconds: number;
}

/** An event of the entity that was given up. */
export interface TracedLetter {
  readonly id: number;
  readonly seq: number;
  readonly error: string;
  readonly attempts: number;
  readonly failedAt: string;
  /** Null while it waits for an operator. */
  readonly settled: Settlement | null;
}

/** A row that a cascade will delete once its hook has succeeded. */
export interface TracedTask {
  readonly hook: string;
  readonly table: string;
  readonly rowKey: string;
  readonly attempts: number;
  readonly error: string | null;
  readonly nextInSeconds: number;
  readonly causationId: string | null;
}

/** What a subscriber's database knows of one entity of another service. */
export interface SubscriberTrace {
  readonly durable: string;
  /** Null before its consumer ran for the first time. */
  readonly subscription: {
    readonly offset: number;
    readonly snapshotAt: string | null;
    readonly snapshotSeq: number | null;
    readonly snapshotError: string | null;
    readonly snapshotWanted: string | null;
  } | null;
  /** The order guard's row; null where nothing of the entity was applied. */
  readonly state: {
    readonly version: number | null;
    readonly versioned: boolean;
    readonly deleted: boolean;
    readonly seq: number | null;
  } | null;
  readonly retries: readonly TracedRetry[];
  readonly letters: readonly TracedLetter[];
  /** Why the last snapshot could not take its row. */
  readonly unfit: readonly string[];
  readonly tasks: readonly TracedTask[];
  /** Undefined where it keeps no copy. */
  readonly copy?: { readonly table: string; readonly row: RowStanding; readonly partial: boolean };
}

const TASKS = `SELECT hook, table_name AS table, row_key AS "rowKey", attempts, last_error AS error,
  extract(epoch FROM next_at - pg_catalog.clock_timestamp())::double precision AS "nextInSeconds", cause ->> 'Mesh-Causation-Id' AS "causationId"
FROM mesh.cascade_task`;

/** Rows that an event will take along once their hook has succeeded. */
export async function findTasks(pool: Pool, causationId: string): Promise<readonly TracedTask[]> {
  const text = `${TASKS} WHERE cause ->> 'Mesh-Causation-Id' = $1 ORDER BY id LIMIT 100`;
  return (await pool.query<TracedTask>(text, [causationId])).rows;
}

/** The service need not run. */
export async function traceSubscriber(
  pool: Pool,
  consumer: ConsumerDefinition,
  id: string,
): Promise<SubscriberTrace> {
  const { durable, cache } = consumer;
  const scope = scopeOf(consumer);
  const all = async <Row extends object>(text: string, values: readonly unknown[]) =>
    (await pool.query<Row>(text, [...values])).rows;
  const [subscription] = await all<NonNullable<SubscriberTrace["subscription"]>>(
    `SELECT seq_offset::double precision AS offset, ${isoTime("snapshot_at")} AS "snapshotAt", snapshot_seq::double precision AS "snapshotSeq",
  snapshot_error AS "snapshotError", snapshot_wanted AS "snapshotWanted" FROM mesh.subscription WHERE durable = $1`,
    [durable],
  );
  const [state] = await all<NonNullable<SubscriberTrace["state"]>>(
    `SELECT version::double precision AS version, versioned, deleted, stream_seq::double precision AS seq
FROM mesh.applied WHERE entity = $1 AND entity_id = $2`,
    [scope, id],
  );
  const retries = await all<TracedRetry>(
    `SELECT stream_seq::double precision AS seq, attempts, last_error AS error, ${isoTime("next_at")} AS "nextAt",
  extract(epoch FROM next_at - pg_catalog.clock_timestamp())::double precision AS "nextInSeconds"
FROM mesh.attempt WHERE durable = $1 AND entity = $2 AND entity_id = $3 ORDER BY stream_seq LIMIT 20`,
    [durable, scope, id],
  );
  const letters = await all<TracedLetter>(
    `SELECT id::double precision AS id, stream_seq::double precision AS seq, error, attempts, ${isoTime("failed_at")} AS "failedAt",
  ${SETTLED} AS settled FROM mesh.dead_letter WHERE durable = $1 AND entity_id = $2 ORDER BY stream_seq DESC LIMIT 20`,
    [durable, id],
  );
  const unfit = await all<{ reason: string }>(
    "SELECT reason FROM mesh.unfit_row WHERE durable = $1 AND entity_id = $2 LIMIT 5",
    [durable, id],
  );
  const tasks = await all<TracedTask>(`${TASKS} WHERE entity = $1 AND entity_id = $2 ORDER BY id LIMIT 20`, [
    consumer.entity,
    id,
  ]);
  return {
    durable,
    subscription: subscription ?? null,
    state: state ?? null,
    retries,
    letters,
    unfit: unfit.map(({ reason }) => reason),
    tasks,
    ...(cache === undefined
      ? {}
      : {
          copy: {
            table: cache.name,
            row: await rowStanding(pool, cache, id),
            partial: (cache.where ?? []).length > 0,
          },
        }),
  };
}
