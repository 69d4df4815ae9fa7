import type { ClientBase, Pool, PoolClient } from "pg";
import { backOff } from "../back-off.js";
import type { Logger } from "../definition/hook-definition.js";
import { pause } from "../pause.js";
import { applyFile } from "./apply-file.js";
import {
  compareExisting,
  describeDifference,
  ExistingDiffers,
  type ExistingTable,
} from "./existing-tables.js";
import { compareViews } from "./existing-views.js";
import { type MigrationFiles, readMigrations } from "./files.js";
import { applyGrants, type Grants } from "./grants.js";
import { requireReleased } from "./held-tables.js";
import { restoreTriggers } from "./idle-triggers.js";
import {
  type AppliedMigration,
  hasMeshTable,
  isOwn,
  type Migration,
  prepareLedger,
  readLedger,
} from "./ledger.js";
import type { Pending } from "./lineage.js";
import type { LockWaiting } from "./lock-retries.js";
import { pendingMigrations } from "./pending.js";
import { splitStatements } from "./split-statements.js";
import { checkUnderWay } from "./stages.js";
import { withoutTimeouts } from "./timeouts.js";

/**
 * "mesh" in ASCII. Advisory locks are per database; services that share one migrate one after the other, since what a file
 * of their own SQL has made is told by what was there before.
 */
const MIGRATION_LOCK = 0x6d_65_73_68;

/** What to apply, and for which service. */
export interface MigrateOptions extends MigrationFiles {
  readonly logger: Logger;
  /** Ends the waiting for locks, and for another replica that migrates. */
  readonly signal?: AbortSignal;
  /** The service's tables: those that exist are compared with the catalogue first. Default none. */
  readonly tables?: readonly ExistingTable[];
  /** The views that it names: compared behind the migrations, which may make them. Default none. */
  readonly views?: readonly ExistingTable[];
  /** Where the service runs under a role of its own: brought up to date behind the migrations. */
  readonly grants?: Grants;
}

/** What `migrate` did. */
export interface MigrationReport {
  /** Names applied by this call, in order; empty when the database was up to date. */
  readonly applied: readonly string[];
  /** Every migration that the database has now. */
  readonly total: number;
  /** Tables whose triggers somebody had dropped or disabled, with what was put back. */
  readonly restored: readonly string[];
  /** Whether the grants were renewed: not where nobody asked, or the role is not there. */
  readonly granted: boolean;
}

const lockPollMs = backOff({ from: 250, to: 250 });

/**
 * Brings the database to the newest migration: the runtime's first, then the service's, a transaction
 * each. Any number of replicas may call it at once: one works, the others wait and find it done.
 * A lock that somebody holds is waited for without end, and without keeping others waiting; the log says
 * who holds it, where `database` is a pool.
 * Rejects with `MigrationError` where files and ledger disagree or a file fails (the files before it
 * stay applied), and with the driver's error when the database is out of reach; waiting for it is
 * the caller's part.
 */
export async function migrate(
  database: Pool | ClientBase,
  options: MigrateOptions,
): Promise<MigrationReport> {
  const files = await readMigrations(options);
  const { logger, signal, grants, tables = [], views = [] } = options;
  return await withClient(database, (client) =>
    withoutTimeouts(client, () =>
      underLock(client, options, async () => {
        await requireExisting(client, { service: options.service, tables, logger });
        await requireReleased(client, options.service, tables);
        const restored = await restoreTriggers({ client, database, logger, signal });
        const report = await applyPending(files, { client, database, logger, signal });
        await requireViews(client, { service: options.service, views });
        return { ...report, restored, granted: grants !== undefined && (await applyGrants(client, grants)) };
      }),
    ),
  );
}

/** Throws `ExistingDiffers` where tables that exist are not what mesh.yaml says of them. */
export async function requireExisting(
  database: Pool | ClientBase,
  { service, tables = [], logger }: Pick<MigrateOptions, "service" | "tables" | "logger">,
): Promise<void> {
  if (tables.every(({ existing }) => existing === undefined)) return;
  const { differences, foreign, notices } = await withClient(database, (client) =>
    compareExisting(client, tables),
  );
  const refused = [...foreign, ...differences];
  if (refused.length > 0) throw new ExistingDiffers(service, refused);
  for (const notice of notices)
    logger.warn({ table: notice.table, column: notice.column }, describeDifference(notice));
}

/** Throws `ExistingDiffers` where views are not what mesh.yaml says of them. */
export async function requireViews(
  database: Pool | ClientBase,
  { service, views = [] }: Pick<MigrateOptions, "service" | "views">,
): Promise<void> {
  if (views.length === 0) return;
  const differences = await withClient(database, (client) => compareViews(client, views));
  if (differences.length > 0) throw new ExistingDiffers(service, differences);
}

export interface MigrationState {
  readonly applied: readonly AppliedMigration[];
  /** Names, in order. */
  readonly pending: readonly string[];
  /** The same, with what each would run. */
  readonly statements: readonly PendingStatements[];
}

/** A migration that is still to come. */
export interface PendingStatements {
  readonly name: string;
  /** Whether it is of the runtime: the schema `mesh`. */
  readonly own: boolean;
  /** In order, for this database: of a file that joins branches, those of its section. */
  readonly statements: readonly string[];
}

function statementsOf(pending: Pending): PendingStatements {
  const statements = splitStatements(pending.sql).map(({ text }) => text);
  return { name: pending.name, own: isOwn(pending), statements };
}

/** What has been applied and what has not, without changing anything: for `mesh migrate --dry-run` and `mesh status`. */
export async function migrationState(
  database: Pool | ClientBase,
  options: MigrationFiles,
): Promise<MigrationState> {
  const files = await readMigrations(options);
  return await withClient(database, async (client) => {
    const applied = (await hasMeshTable(client, "migration")) ? await readLedger(client) : [];
    const pending = pendingMigrations(files, applied);
    return { applied, pending: namesOf(pending), statements: pending.map(statementsOf) };
  });
}

/** Whether the role of this connection may make what migrations make. */
export async function mayMigrate(database: Pool | ClientBase): Promise<boolean> {
  const { rows } = await database.query<{ may: boolean }>(
    `SELECT CASE WHEN pg_catalog.to_regnamespace('mesh') IS NULL THEN pg_catalog.has_database_privilege(current_database(), 'CREATE')
     ELSE pg_catalog.has_schema_privilege(pg_catalog.to_regnamespace('mesh')::oid, 'CREATE') END AS may`,
  );
  return rows[0]?.may === true;
}

async function withClient<T>(
  database: Pool | ClientBase,
  work: (client: ClientBase) => Promise<T>,
): Promise<T> {
  if (!("totalCount" in database)) return await listening(database, work);
  const client: PoolClient = await database.connect();
  let failure: Error | undefined;
  try {
    return await listening(client, work);
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
    throw error;
  } finally {
    // Closed rather than handed back: one that failed may still hold the session lock, and files may have set what a session keeps.
    client.release(failure ?? true);
  }
}

/**
 * A client that loses its connection emits "error" beside failing its query, and an error nobody
 * listens for ends the process: a database that restarts during a migration would take the service along.
 */
async function listening<T>(client: ClientBase, work: (client: ClientBase) => Promise<T>): Promise<T> {
  const ignore = () => undefined;
  client.on("error", ignore);
  try {
    return await work(client);
  } finally {
    client.off("error", ignore);
  }
}

/**
 * The lock is asked for again and again, not waited for: a session that waits inside of a statement has a snapshot,
 * and the one that builds an index concurrently waits for all of these. Each would wait for the other.
 */
async function underLock<T>(
  client: ClientBase,
  { logger, signal }: MigrateOptions,
  work: () => Promise<T>,
): Promise<T> {
  for (let logged = false; !(await tryLock(client)); logged = true) {
    if (!logged) logger.info({}, "another process migrates this database: waiting for it");
    await pause(lockPollMs(0), signal);
    signal?.throwIfAborted();
  }
  try {
    return await work();
  } finally {
    // On a broken connection the server has let go already, and work's own error is the one to report.
    await client.query("SELECT pg_catalog.pg_advisory_unlock($1)", [MIGRATION_LOCK]).catch(() => undefined);
  }
}

async function tryLock(client: ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ taken: boolean }>(
    "SELECT pg_catalog.pg_try_advisory_lock($1) AS taken",
    [MIGRATION_LOCK],
  );
  return rows[0]?.taken === true;
}

async function applyPending(
  files: readonly Migration[],
  applying: LockWaiting,
): Promise<Omit<MigrationReport, "granted" | "restored">> {
  const { client, logger } = applying;
  await prepareLedger(client);
  const ledger = await readLedger(client);
  const pending = pendingMigrations(files, ledger);
  await checkUnderWay(
    client,
    pending.find((file) => !isOwn(file)),
  );
  for (const next of pending) {
    const started = performance.now();
    await applyFile(next, applying);
    const ms = Math.round(performance.now() - started);
    logger.info({ migration: next.name, ms }, "migration applied");
  }
  const recorded = pending.reduce((sum, { includes }) => sum + 1 + includes.length, 0);
  return { applied: namesOf(pending), total: ledger.length + recorded };
}

function namesOf(pending: readonly Pending[]): readonly string[] {
  return pending.map(({ name }) => name);
}
