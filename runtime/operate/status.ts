import type { Pool } from "pg";
import type { Broker, ConsumerState, StreamState } from "../broker/broker.js";
import type { ConsumerDefinition } from "../definition/consumer-definition.js";
import type { ServiceDefinition } from "../definition/service-definition.js";
import { readUnfit, type UnfitRow } from "../resync/unfit-rows.js";
import { migrationState } from "../schema/index.js";
import { openDeadLetterStream } from "../stateless/dead-letter-stream.js";
import { type Bookkeeping, type OutboxStatus, readBookkeeping, readOutbox } from "./figures.js";
import { readLagSeconds } from "./lag.js";

/** What an operator asks of one service, read from its database and, where given, from broker and process. */
export interface ServiceStatus {
  readonly service: string;
  /** The running service's own `/readyz`; absent when it was not asked. */
  readonly health?: HealthStatus;
  readonly migrations: { readonly applied: number; readonly pending: readonly string[] };
  /** Absent until the mesh schema is migrated. */
  readonly outbox?: OutboxStatus;
  /** Its own stream; null where the broker has none of that name; absent where the service has none, or no broker was asked. */
  readonly stream?: StreamState | null;
  readonly consumers: readonly ConsumerStatus[];
  readonly cascades?: CascadeStatus;
  /** Absent where no event of the service is told at a time. */
  readonly moments?: MomentStatus;
  readonly bookkeeping?: readonly Bookkeeping[];
}

export interface HealthStatus {
  /** `silent`: nothing answers, or something that is no service of ours. */
  readonly status: "ready" | "degraded" | "unready" | "silent";
  /** Why it is not ready. */
  readonly reasons: readonly string[];
  /** Consumers that settle nothing although messages wait, or that lack what they need. */
  readonly stalled: readonly { readonly durable: string; readonly reason: string }[];
}

/** One durable: how far it is, and what it could not apply. */
export interface ConsumerStatus {
  readonly durable: string;
  readonly stream: string;
  /** Whether the stream exists; absent when the broker was not asked. */
  readonly streamFound?: boolean;
  /** Highest sequence recorded as applied; null for a consumer that never ran. */
  readonly lastSeq: number | null;
  readonly snapshot: SnapshotStatus | null;
  readonly deadLetters: number;
  /** Events with failed attempts that will be retried. */
  readonly attemptsWaiting: number;
  /** Absent when the broker was not asked, or does not know the durable. */
  readonly broker?: ConsumerState;
  /** Age of the oldest event that is not applied; null where none waits. Absent where `broker` is. */
  readonly lagSeconds?: number | null;
  /** Table of the copy that it keeps; absent where it keeps none. */
  readonly copy?: string;
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
  /** Moments to come, and those that have come and are not told yet; counted up to 100,000. */
  readonly waiting: number;
  /** By how many seconds the latest of those that have come is late; null where none has. */
  readonly lateSeconds: number | null;
  /** Moments whose event could not be written. */
  readonly failing: number;
  readonly lastError: string | null;
}

/** Which service, and whom to ask beside its database. */
export interface StatusOptions {
  readonly definition: ServiceDefinition;
  /** Of the service's database; absent where it has none. */
  readonly pool?: Pool;
  /** Also asks the broker about stream and durables. */
  readonly broker?: Broker;
  /** Of the running service: also asks its `/readyz`. */
  readonly url?: string | undefined;
}

/** The status of a service from its database, the broker and its `/readyz`. The service need not run. */
export async function serviceStatus(options: StatusOptions): Promise<ServiceStatus> {
  const [stored, health] = await Promise.all([
    storedStatus(options),
    options.url === undefined ? undefined : readHealth(options.url),
  ]);
  return health === undefined ? stored : { ...stored, health };
}

async function storedStatus({ definition, pool, broker }: StatusOptions): Promise<ServiceStatus> {
  const { name: service, database, stream, consumers } = definition;
  if (pool === undefined || database === undefined) return await statelessStatus(definition, broker);
  const { applied, pending } = await migrationState(pool, { ...database, service });
  const migrations = { applied: applied.length, pending };
  if (!applied.some(({ name }) => name.startsWith("mesh/"))) return { service, migrations, consumers: [] };
  const state = stream && broker && ((await broker.streamState(stream.name)) ?? null);
  return {
    service,
    migrations,
    outbox: await readOutbox(pool),
    ...(state === undefined ? {} : { stream: state }),
    consumers: await Promise.all(consumers.map((consumer) => readConsumer(consumer, pool, broker))),
    cascades: await readCascades(pool),
    ...(definition.moments && { moments: await readMoments(pool) }),
    bookkeeping: await readBookkeeping(pool),
  };
}

/** Of a service without a database only the broker knows more than the service itself. */
async function statelessStatus(
  { name: service, stateless }: ServiceDefinition,
  broker: Broker | undefined,
): Promise<ServiceStatus> {
  const letters = stateless && broker && openDeadLetterStream(broker, stateless.deadLetters);
  const [dead, waiting] = await Promise.all(
    (["dead", "attempt"] as const).map((of) => letters?.count(of).catch(() => undefined)),
  );
  const consumers = (stateless?.consumers ?? []).map(
    async ({ durable, stream, filter }): Promise<ConsumerStatus> => ({
      ...(await askBroker({ durable, stream: stream.name, filter }, broker)),
      ...{ lastSeq: null, snapshot: null },
      deadLetters: dead?.get(durable) ?? 0,
      attemptsWaiting: waiting?.get(durable) ?? 0,
    }),
  );
  return { service, migrations: { applied: 0, pending: [] }, consumers: await Promise.all(consumers) };
}

/** Longer than the service itself gives its database to answer. */
const PATIENCE_MS = 5_000;

/** The part of `/readyz` that is read here. */
interface ReadyAnswer {
  readonly status: HealthStatus["status"];
  readonly reasons?: readonly string[];
  readonly checks?: {
    readonly consumers?: Readonly<
      Record<string, { readonly stalled?: boolean; readonly last_error?: string }>
    >;
  };
}

async function readHealth(url: string): Promise<HealthStatus> {
  const target = new URL("/readyz", url).href;
  try {
    const response = await fetch(target, { signal: AbortSignal.timeout(PATIENCE_MS) });
    const answer = (await response.json()) as ReadyAnswer | null;
    if (!["ready", "degraded", "unready"].includes(answer?.status ?? ""))
      return silent(`GET ${target} answered ${response.status}, and not what a service says`);
    return healthOf(answer as ReadyAnswer);
  } catch (error) {
    const { message, cause } = error as Error;
    return silent(`GET ${target} failed: ${cause instanceof Error ? cause.message || message : message}`);
  }
}

function silent(reason: string): HealthStatus {
  return { status: "silent", reasons: [reason], stalled: [] };
}

function concernsAll(reason: string): boolean {
  return reason.startsWith("broker: ");
}

function healthOf({ status, reasons = [], checks }: ReadyAnswer): HealthStatus {
  const stalled = Object.entries(checks?.consumers ?? {}).filter(([, consumer]) => consumer.stalled);
  return {
    status,
    reasons,
    stalled: stalled.map(([durable, { last_error }]) => ({
      durable,
      reason: last_error ?? reasons.find(concernsAll) ?? "messages wait and none is settled",
    })),
  };
}

const SHOWN_ROWS = 20;

interface ConsumerRow {
  readonly last_seq: number | null;
  readonly snapshot: Omit<SnapshotStatus, "unfitRows"> | null;
  readonly dead_letters: number;
  readonly attempts: number;
}

async function readConsumer(
  { durable, stream, filter, cache }: ConsumerDefinition,
  pool: Pool,
  broker: Broker | undefined,
): Promise<ConsumerStatus> {
  const { rows } = await pool.query<ConsumerRow>(
    `SELECT last_seq::double precision,
            pg_catalog.json_build_object('at', pg_catalog.to_char(snapshot_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                              'rows', snapshot_rows, 'error', snapshot_error, 'wanted', snapshot_wanted,
                              'unfit', coalesce((pg_catalog.to_jsonb(known) ->> 'snapshot_unfit')::integer, 0)) AS snapshot,
            (SELECT count(*) FROM mesh.dead_letter WHERE durable = $1 AND redriven_at IS NULL)::integer AS dead_letters,
            (SELECT count(*) FROM mesh.attempt WHERE durable = $1)::integer AS attempts
     FROM (SELECT $1::text AS durable) AS asked LEFT JOIN mesh.subscription AS known USING (durable)`,
    [durable],
  );
  const row = rows[0];
  const snapshot = row?.last_seq == null ? null : row.snapshot;
  // Before the first that set rows aside, their table may be missing: a migration is still to come.
  const unfitRows = (snapshot?.unfit ?? 0) > 0 ? await readUnfit(pool, durable, SHOWN_ROWS) : [];
  return {
    ...(await askBroker({ durable, stream: stream.name, filter }, broker)),
    ...(cache && { copy: cache.name }),
    lastSeq: row?.last_seq ?? null,
    snapshot: snapshot && { ...snapshot, unfitRows },
    deadLetters: row?.dead_letters ?? 0,
    attemptsWaiting: row?.attempts ?? 0,
  };
}

type Place = Pick<ConsumerStatus, "durable" | "stream">;

async function askBroker(
  { durable, stream, filter }: Place & { readonly filter: string },
  broker: Broker | undefined,
): Promise<Place & Pick<ConsumerStatus, "streamFound" | "broker" | "lagSeconds">> {
  const [state, found] = await Promise.all([
    broker?.consumerState(stream, durable),
    broker?.streamState(stream),
  ]);
  return {
    durable,
    stream,
    ...(broker === undefined ? {} : { streamFound: found !== undefined }),
    ...(state === undefined || broker === undefined
      ? {}
      : { broker: state, lagSeconds: await readLagSeconds(broker, { stream, filter }, state) }),
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
    `SELECT (SELECT count(*) FROM (SELECT FROM mesh.moment LIMIT 100000) AS counted)::integer AS waiting,
            (SELECT extract(epoch FROM mesh.clock() - next_at) FROM mesh.moment WHERE next_at <= mesh.clock() ORDER BY next_at LIMIT 1)::double precision AS "lateSeconds",
            (SELECT count(*) FROM mesh.moment WHERE attempts > 0)::integer AS failing,
            (SELECT last_error FROM mesh.moment WHERE attempts > 0 ORDER BY next_at DESC LIMIT 1) AS "lastError"`,
  );
  return rows[0] ?? { waiting: 0, lateSeconds: null, failing: 0, lastError: null };
}
