import type { Pool } from "pg";
import type { Broker, ConsumerState, StreamState } from "../broker/broker.js";
import type { ConsumerDefinition, ServiceDefinition } from "../definition.js";
import { migrationState } from "../schema/index.js";

export interface ServiceStatus {
  readonly service: string;
  readonly migrations: { readonly applied: number; readonly pending: readonly string[] };
  /** Absent until the mesh schema is there. */
  readonly outbox?: OutboxStatus;
  /** Its own stream; absent when it has none, or no broker was asked. */
  readonly stream?: StreamState;
  readonly consumers: readonly ConsumerStatus[];
  readonly cascades?: CascadeStatus;
}

export interface OutboxStatus {
  /** Events that JetStream has not confirmed yet; counted up to 100,000. */
  readonly waiting: number;
  readonly oldestSeconds: number | null;
  /** Stream sequence of the last confirmed one. */
  readonly lastSeq: number;
}

export interface ConsumerStatus {
  readonly durable: string;
  readonly stream: string;
  /** Highest sequence recorded as applied; null for a consumer that never ran. */
  readonly lastSeq: number | null;
  readonly snapshot: SnapshotStatus | null;
  readonly deadLetters: number;
  /** Events whose handler failed and is due again. */
  readonly attemptsWaiting: number;
  /** What the broker says; absent when it was not asked, or does not know the durable. */
  readonly broker?: ConsumerState;
}

export interface SnapshotStatus {
  readonly at: string | null;
  readonly rows: number | null;
  readonly error: string | null;
}

export interface CascadeStatus {
  /** Rows that wait for their `before` hook. */
  readonly waiting: number;
  readonly failing: number;
  readonly lastError: string | null;
}

export interface StatusOptions {
  readonly definition: ServiceDefinition;
  /** Of the service's database. */
  readonly pool: Pool;
  /** Also asks the broker about stream and durables. */
  readonly broker?: Broker;
}

/** How a service stands, read from its database and the broker: the service itself need not run. */
export async function serviceStatus({ definition, pool, broker }: StatusOptions): Promise<ServiceStatus> {
  const { name: service, database, stream, consumers } = definition;
  const { applied, pending } = await migrationState(pool, { service, migrations: database.migrations });
  const migrations = { applied: applied.length, pending };
  if (!applied.some(({ name }) => name.startsWith("mesh/"))) return { service, migrations, consumers: [] };
  const state = stream && (await broker?.streamState(stream.name));
  return {
    service,
    migrations,
    outbox: await readOutbox(pool),
    ...(state === undefined ? {} : { stream: state }),
    consumers: await Promise.all(consumers.map((consumer) => readConsumer(consumer, pool, broker))),
    cascades: await readCascades(pool),
  };
}

async function readOutbox(pool: Pool): Promise<OutboxStatus> {
  const { rows } = await pool.query<{ waiting: number; oldest: number | null; last_seq: number }>(
    `SELECT (SELECT count(*) FROM (SELECT FROM mesh.outbox LIMIT 100000) AS counted)::integer AS waiting,
            (SELECT extract(epoch FROM now() - created_at) FROM mesh.outbox ORDER BY seq LIMIT 1)::double precision AS oldest,
            (SELECT last_seq FROM mesh.relay)::double precision AS last_seq`,
  );
  const row = rows[0];
  return { waiting: row?.waiting ?? 0, oldestSeconds: row?.oldest ?? null, lastSeq: row?.last_seq ?? 0 };
}

interface ConsumerRow {
  readonly last_seq: number | null;
  readonly snapshot: SnapshotStatus | null;
  readonly dead_letters: number;
  readonly attempts: number;
}

async function readConsumer(
  { durable, stream }: ConsumerDefinition,
  pool: Pool,
  broker: Broker | undefined,
): Promise<ConsumerStatus> {
  const { rows } = await pool.query<ConsumerRow>(
    `SELECT last_seq::double precision,
            json_build_object('at', to_char(snapshot_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                              'rows', snapshot_rows, 'error', snapshot_error) AS snapshot,
            (SELECT count(*) FROM mesh.dead_letter WHERE durable = $1 AND redriven_at IS NULL)::integer AS dead_letters,
            (SELECT count(*) FROM mesh.attempt WHERE durable = $1)::integer AS attempts
     FROM (SELECT $1::text AS durable) AS asked LEFT JOIN mesh.subscription USING (durable)`,
    [durable],
  );
  const row = rows[0];
  const state = await broker?.consumerState(stream.name, durable);
  return {
    durable,
    stream: stream.name,
    lastSeq: row?.last_seq ?? null,
    snapshot: row?.last_seq == null ? null : row.snapshot,
    deadLetters: row?.dead_letters ?? 0,
    attemptsWaiting: row?.attempts ?? 0,
    ...(state === undefined ? {} : { broker: state }),
  };
}

async function readCascades(pool: Pool): Promise<CascadeStatus> {
  const { rows } = await pool.query<CascadeStatus>(
    `SELECT count(*)::integer AS waiting, (count(*) FILTER (WHERE attempts > 1))::integer AS failing,
            (array_agg(last_error ORDER BY next_at DESC) FILTER (WHERE last_error IS NOT NULL))[1] AS "lastError"
     FROM mesh.cascade_task`,
  );
  return rows[0] ?? { waiting: 0, failing: 0, lastError: null };
}
