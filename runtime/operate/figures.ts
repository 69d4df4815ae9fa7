import type { ClientBase, Pool } from "pg";
import { IS_WAITING, MOST_COUNTED } from "../outbox/outbox-statements.js";

/*
 * Figures of a service's database that both `/readyz` and `mesh status` show.
 */

/** A pool, or one session of it. */
export type Queryable = Pick<Pool, "query"> | Pick<ClientBase, "query">;

/** Most dead letters that are counted: anyone may ask. */
export const MOST_LETTERS = 10_000;

/** The relay's dead letters lie beside the consumers', under this name. */
export const OUTBOX_LETTERS = "outbox";

/** What waits in a service's outbox. */
export interface OutboxStatus {
  /** Events that are not acked by JetStream; counted up to 100,000. */
  readonly waiting: number;
  /** Age of the oldest of them in seconds; null where there is none. */
  readonly oldestSeconds: number | null;
  /** Stream sequence up to which all are acked. */
  readonly lastSeq: number;
  /** Events that must not be published: not the service's subject, or not valid by their schema. Counted up to 10,000. */
  readonly deadLetters: number;
}

export async function readOutbox(pool: Queryable): Promise<OutboxStatus> {
  const { rows } = await pool.query<OutboxStatus>(
    `SELECT (SELECT count(*) FROM (SELECT FROM mesh.outbox WHERE ${IS_WAITING} LIMIT ${MOST_COUNTED}) AS counted)::integer AS waiting,
            (SELECT greatest(0, extract(epoch FROM clock_timestamp() - created_at)) FROM mesh.outbox WHERE ${IS_WAITING} ORDER BY seq LIMIT 1)::double precision AS "oldestSeconds",
            (SELECT last_seq FROM mesh.relay_progress)::double precision AS "lastSeq",
            (SELECT count(*) FROM (SELECT FROM mesh.dead_letter WHERE durable = $1 AND settled_as IS NULL LIMIT ${MOST_LETTERS}) AS counted)::integer AS "deadLetters"`,
    [OUTBOX_LETTERS],
  );
  return rows[0] ?? { waiting: 0, oldestSeconds: null, lastSeq: 0, deadLetters: 0 };
}

/**
 * By how many seconds the latest moment that has come is late; null where none has. One that failed is late since it was due, not
 * since it is to be tried again.
 */
export const MOMENT_LATENESS = `(SELECT extract(epoch FROM mesh.clock() - least(
    (SELECT due_at FROM mesh.moment WHERE next_at <= mesh.clock() ORDER BY next_at LIMIT 1),
    (SELECT due_at FROM mesh.moment WHERE attempts > 0 ORDER BY due_at LIMIT 1))))::double precision`;

export interface Bookkeeping {
  readonly table: string;
  /** PostgreSQL's last estimate; null before the first. */
  readonly rows: number | null;
  /** With its indexes. */
  readonly bytes: number;
}

/** The tables that grow with the number of entities, deleted ones included. */
export async function readBookkeeping(pool: Pool): Promise<readonly Bookkeeping[]> {
  const { rows } = await pool.query<Bookkeeping>(
    `SELECT relnamespace::regnamespace || '.' || relname AS table, nullif(greatest(reltuples, -1), -1)::double precision AS rows,
            pg_catalog.pg_total_relation_size(oid)::double precision AS bytes
     FROM pg_class WHERE relnamespace = 'mesh'::regnamespace AND relname IN ('applied', 'entity_version', 'seen')
     ORDER BY relname`,
  );
  return rows;
}

/** By durable: dead letters that wait for an operator, counted up to 10,000 each. */
export async function countDeadLetters(
  pool: Queryable,
  durables: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await pool.query<{ durable: string; letters: number }>(
    `SELECT durable, (SELECT count(*) FROM (SELECT FROM mesh.dead_letter AS letter
       WHERE letter.durable = known.durable AND settled_as IS NULL LIMIT ${MOST_LETTERS}) AS counted)::integer AS letters
     FROM pg_catalog.unnest($1::text[]) AS known (durable)`,
    [durables],
  );
  return new Map(rows.map(({ durable, letters }) => [durable, letters]));
}
