import type { Pool } from "pg";
import type { ServiceDefinition } from "../definition/service-definition.js";
import { MOST_COUNTED } from "../outbox/outbox-statements.js";
import { readUnfit, type UnfitRow } from "../resync/unfit-rows.js";
import { type ExistingDifference, migrationState, readDifferences } from "../schema/index.js";
import {
  type Bookkeeping,
  MOMENT_LATENESS,
  type OutboxStatus,
  readBookkeeping,
  readOutbox,
} from "./figures.js";

/*
 * What the database of a service knows of how it stands.
 */

/** What the database of its service knows. */
export interface StoredConsumer {
  /** Highest sequence recorded as applied; null for a consumer that never ran. */
  readonly lastSeq: number | null;
  readonly snapshot: SnapshotStatus | null;
  readonly deadLetters: number;
  /** Events with failed attempts that will be retried. */
  readonly attemptsWaiting: number;
}

/** The last snapshot of a consumer. `at` is ISO 8601. */
export interface SnapshotStatus {
  readonly at: string | null;
  readonly rows: number | null;
  readonly error: string | null;
  /** Why another is wanted; null when nothing was missed since. */
  readonly wanted: string | null;
  /** Number of the source's rows that it could not take. */
  readonly unfit: number;
  /** The first 20 of them. */
  readonly unfitRows: readonly UnfitRow[];
}

/** Rows pending deletion, whose hook has not yet succeeded. */
export interface CascadeStatus {
  /** Rows that wait for their `before` hook. */
  readonly waiting: number;
  readonly failing: number;
  readonly lastError: string | null;
}

/** Events at a time. */
export interface MomentStatus {
  /** Moments to come, and those that have come and whose event is not written yet; counted up to 100,000. */
  readonly waiting: number;
  /** By how many seconds the latest of those that have come is late; null where none has. */
  readonly lateSeconds: number | null;
  /** Moments whose event could not be written. */
  readonly failing: number;
  readonly lastError: string | null;
}

/** Until the mesh schema is migrated, nothing but its migrations. */
export interface StoredStatus {
  readonly migrations: { readonly applied: number; readonly pending: readonly string[] };
  /** Of tables and views that exist, what is not as mesh.yaml says. Absent while a migration is pending. */
  readonly differences?: readonly ExistingDifference[];
  readonly outbox?: OutboxStatus;
  /** By durable. */
  readonly consumers?: ReadonlyMap<string, StoredConsumer>;
  readonly cascades?: CascadeStatus;
  /** Absent where the service has no event at a time. */
  readonly moments?: MomentStatus;
  readonly bookkeeping?: readonly Bookkeeping[];
}

export async function readStored(
  definition: ServiceDefinition,
  database: NonNullable<ServiceDefinition["database"]>,
  pool: Pool,
): Promise<StoredStatus> {
  const { name: service, consumers, moments } = definition;
  const { applied, pending } = await migrationState(pool, { ...database, service });
  const migrations = { applied: applied.length, pending };
  if (!applied.some(({ name }) => name.startsWith("mesh/"))) return { migrations };
  const known = consumers.map(async ({ durable }) => [durable, await readConsumer(durable, pool)] as const);
  return {
    migrations,
    ...(pending.length === 0 && { differences: await readDifferences(pool, definition) }),
    outbox: await readOutbox(pool),
    consumers: new Map(await Promise.all(known)),
    cascades: await readCascades(pool),
    ...(moments && { moments: await readMoments(pool) }),
    bookkeeping: await readBookkeeping(pool),
  };
}

const SHOWN_ROWS = 20;

interface ConsumerRow {
  readonly last_seq: number | null;
  readonly snapshot: Omit<SnapshotStatus, "unfitRows"> | null;
  readonly dead_letters: number;
  readonly attempts: number;
}

async function readConsumer(durable: string, pool: Pool): Promise<StoredConsumer> {
  const { rows } = await pool.query<ConsumerRow>(
    `SELECT last_seq::double precision,
            pg_catalog.json_build_object('at', pg_catalog.to_char(snapshot_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                              'rows', snapshot_rows, 'error', snapshot_error, 'wanted', snapshot_wanted,
                              'unfit', coalesce((pg_catalog.to_jsonb(known) ->> 'snapshot_unfit')::integer, 0)) AS snapshot,
            (SELECT count(*) FROM mesh.dead_letter WHERE durable = $1 AND settled_as IS NULL)::integer AS dead_letters,
            (SELECT count(*) FROM mesh.attempt WHERE durable = $1)::integer AS attempts
     FROM (SELECT $1::text AS durable) AS asked LEFT JOIN mesh.subscription AS known USING (durable)`,
    [durable],
  );
  const row = rows[0];
  const snapshot = row?.last_seq == null ? null : row.snapshot;
  // Before the first that set rows aside, their table may be missing: a migration is still to come.
  const unfitRows = (snapshot?.unfit ?? 0) > 0 ? await readUnfit(pool, durable, SHOWN_ROWS) : [];
  return {
    lastSeq: row?.last_seq ?? null,
    snapshot: snapshot && { ...snapshot, unfitRows },
    deadLetters: row?.dead_letters ?? 0,
    attemptsWaiting: row?.attempts ?? 0,
  };
}

async function readCascades(pool: Pool): Promise<CascadeStatus> {
  const { rows } = await pool.query<CascadeStatus>(
    `SELECT count(*)::integer AS waiting, (count(*) FILTER (WHERE attempts > 1))::integer AS failing,
            (pg_catalog.array_agg(last_error ORDER BY next_at DESC) FILTER (WHERE last_error IS NOT NULL))[1] AS "lastError"
     FROM mesh.cascade_task`,
  );
  return rows[0] ?? { waiting: 0, failing: 0, lastError: null };
}

async function readMoments(pool: Pool): Promise<MomentStatus> {
  const { rows } = await pool.query<MomentStatus>(
    `SELECT (SELECT count(*) FROM (SELECT FROM mesh.moment LIMIT ${MOST_COUNTED}) AS counted)::integer AS waiting,
            ${MOMENT_LATENESS} AS "lateSeconds",
            (SELECT count(*) FROM mesh.moment WHERE attempts > 0)::integer AS failing,
            (SELECT last_error FROM mesh.moment WHERE attempts > 0 ORDER BY next_at DESC LIMIT 1) AS "lastError"`,
  );
  return rows[0] ?? { waiting: 0, lateSeconds: null, failing: 0, lastError: null };
}
