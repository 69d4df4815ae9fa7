import { type ClientBase, DatabaseError, type Pool, type PoolClient } from "pg";
import type { Logger } from "../definition.js";
import { meshMigrations, readMigrations } from "./files.js";
import {
  type AppliedMigration,
  checksum,
  type Migration,
  MigrationError,
  pendingMigrations,
  prepareLedger,
  readLedger,
} from "./ledger.js";

/** "mesh" in ASCII. Advisory locks are per database, so every service database has its own. */
const MIGRATION_LOCK = 0x6d_65_73_68;

export interface MigrateOptions {
  readonly service: string;
  /** Folder of the service's own files. */
  readonly migrations: URL | string;
  readonly logger: Logger;
}

export interface MigrationReport {
  /** Names applied by this call, in order; empty when the database was up to date. */
  readonly applied: readonly string[];
  /** Every migration that the database has now. */
  readonly total: number;
}

/**
 * Brings the database to the newest migration: the runtime's first, then the service's, a transaction
 * each. Any number of replicas may call it at once: one works, the others wait and find it done.
 * Rejects with `MigrationError` where files and ledger disagree or a file fails (the files before it
 * stay applied), and with the driver's error when the database is out of reach; waiting for it is
 * the caller's part.
 */
export async function migrate(
  database: Pool | ClientBase,
  options: MigrateOptions,
): Promise<MigrationReport> {
  const files = [...meshMigrations, ...(await readMigrations(options.migrations, options.service))];
  return await withClient(database, (client) =>
    underLock(client, () => applyPending(client, files, options)),
  );
}

/** What has been applied and what has not, without changing anything: for `mesh migrate --dry-run` and `mesh status`. */
export async function migrationState(
  database: Pool | ClientBase,
  options: Pick<MigrateOptions, "service" | "migrations">,
): Promise<{ readonly applied: readonly AppliedMigration[]; readonly pending: readonly string[] }> {
  const files = [...meshMigrations, ...(await readMigrations(options.migrations, options.service))];
  return await withClient(database, async (client) => {
    const found = await client.query("SELECT to_regclass('mesh.migration') IS NOT NULL AS ready");
    const applied = found.rows[0]?.ready === true ? await readLedger(client) : [];
    return { applied, pending: pendingMigrations(files, applied).map((file) => file.name) };
  });
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
    // A connection that failed may still hold the session lock: closed rather than handed back, it lets go.
    client.release(failure);
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

async function underLock<T>(client: ClientBase, work: () => Promise<T>): Promise<T> {
  await client.query("SELECT pg_advisory_lock($1)", [MIGRATION_LOCK]);
  try {
    return await work();
  } finally {
    // On a broken connection the server has let go already, and work's own error is the one to report.
    await client.query("SELECT pg_advisory_unlock($1)", [MIGRATION_LOCK]).catch(() => undefined);
  }
}

async function applyPending(
  client: ClientBase,
  files: readonly Migration[],
  { logger }: MigrateOptions,
): Promise<MigrationReport> {
  await prepareLedger(client);
  const ledger = await readLedger(client);
  const pending = pendingMigrations(files, ledger);
  for (const file of pending) {
    const started = performance.now();
    await applyFile(client, file);
    logger.info({ migration: file.name, ms: Math.round(performance.now() - started) }, "migration applied");
  }
  return { applied: pending.map((file) => file.name), total: ledger.length + pending.length };
}

/**
 * The service's tables go where its role makes tables, but never into our own schema: a role that is
 * itself called mesh has that first in its path ("$user").
 */
const OWN_PATH = `SELECT set_config('search_path', string_agg(quote_ident(name), ', ' ORDER BY place), true) AS path
  FROM unnest(current_schemas(false)) WITH ORDINALITY AS schema (name, place) WHERE name <> 'mesh'`;

async function applyFile(client: ClientBase, file: Migration): Promise<void> {
  await client.query("BEGIN");
  try {
    const { rows } = await client.query<{ path: string | null }>(OWN_PATH);
    if (rows[0]?.path == null) {
      throw new MigrationError(
        `migration ${file.path} has no schema to make tables in: the role's search_path names none that exists`,
      );
    }
    await client.query(file.text);
    await client.query("INSERT INTO mesh.migration (name, sha256) VALUES ($1, $2)", [
      file.name,
      checksum(file.text),
    ]);
    await client.query("COMMIT");
  } catch (cause) {
    await client.query("ROLLBACK").catch(() => undefined);
    throw cause instanceof DatabaseError ? failedFile(file, cause) : cause;
  }
}

/** Keeps the SQLSTATE in sight and says where in the file; a lost connection is not the file's fault and stays as it is. */
function failedFile(file: Migration, cause: DatabaseError): Error {
  const infrastructure = /^(08|53|57P)/.test(cause.code ?? "");
  if (infrastructure) return cause;
  const offset = Number(cause.position ?? Number.NaN);
  const line = Number.isNaN(offset) ? "" : `:${file.text.slice(0, offset - 1).split("\n").length}`;
  const detail = [cause.detail, cause.hint].filter((part) => part !== undefined).join(" ");
  return new MigrationError(
    `migration ${file.path}${line} failed and was rolled back: ${cause.message} (SQLSTATE ${cause.code ?? "unknown"})` +
      (detail === "" ? "" : `. ${detail}`),
    { cause },
  );
}
