import { type ClientBase, DatabaseError, escapeIdentifier } from "pg";
import { classify, STATE } from "../database/database-errors.js";
import { verbatim } from "../database/mesh-schema.js";
import { type Blocker, cancelBackend, describeBlockers } from "./blockers.js";
import { orderingHint, watchSession } from "./custom-sql.js";
import { isCustom, MigrationError, recordMigrations } from "./ledger.js";
import type { Pending } from "./lineage.js";
import { backendPid, LOCK_TIMEOUT_MS, type LockWaiting, retryLocks } from "./lock-retries.js";
import { type Statement, splitStatements } from "./split-statements.js";
import { readProgress, type Stage, splitStages, writeProgress } from "./stages.js";
import { transact } from "./transact.js";

/** A process that freezes in the middle must not keep a table locked. */
const IDLE_TIMEOUT_MS = 10_000;
/** A statement that waits without being in anybody's way says so this often. */
const TELL_EVERY_MS = 10_000;

/**
 * Applies a file, stage by stage, and writes it into the ledger; one that was cut off goes on behind its last stage.
 * Waits for locks without end, but never long in a place where others wait behind it.
 */
export async function applyFile(file: Pending, applying: LockWaiting): Promise<void> {
  const { client, database, signal } = applying;
  const stages = splitStages(file);
  const pid = await backendPid(client);
  const cancel = () => void cancelBackend(database, pid);
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    const from = await readProgress(client, file, stages);
    for (const [index, stage] of stages.entries()) {
      if (index < from) continue;
      const progress = { done: index + 1, of: stages.length };
      const endFile = isCustom(file) ? await watchSession(client) : undefined;
      const finish = async () => {
        await endFile?.();
        if (progress.done === progress.of) await recordMigrations(client, [...file.includes, file]);
        await writeProgress(client, file, progress);
      };
      await applyStage(file, stage, { ...applying, finish });
    }
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

interface Staging extends LockWaiting {
  /** Writes down that the stage is done; within a transaction. */
  readonly finish: () => Promise<void>;
}

async function applyStage(file: Pending, stage: Stage, staging: Staging): Promise<void> {
  const apply = stage.transaction ? applyTransaction : applyStatements;
  const beside = stage.transaction ? {} : { onBlocked: tellNowAndThen(file, staging) };
  await retryLocks({ ...staging, ...beside, what: `migration ${file.name}` }, () =>
    apply(file, stage, staging),
  ).catch((error: unknown) => {
    throw error instanceof DatabaseError ? failedFile(file, stage, error) : error;
  });
}

/** Nobody queues behind such a statement, so it waits where it is. */
function tellNowAndThen(file: Pending, { logger }: LockWaiting): (blockers: readonly Blocker[]) => void {
  let toldAt = performance.now();
  return (blockers) => {
    if (performance.now() - toldAt < TELL_EVERY_MS) return;
    toldAt = performance.now();
    logger.warn(
      { migration: file.name, blockers },
      `migration ${file.name} waits for ${describeBlockers(blockers)} to end; traffic goes on meanwhile`,
    );
  };
}

/**
 * The service's tables go where its role makes tables, but never into our own schema: a role that is
 * itself called mesh has that first in its path ("$user").
 */
async function setOwnPath(file: Pending, client: ClientBase, local: boolean): Promise<void> {
  const { rows } = await client.query<{ path: string | null }>(
    `SELECT pg_catalog.set_config('search_path', pg_catalog.string_agg(pg_catalog.quote_ident(name), ', ' ORDER BY place), $1) AS path
     FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS schema (name, place) WHERE name <> 'mesh'::regnamespace::text`,
    [local],
  );
  if (rows[0]?.path == null) {
    throw new MigrationError(
      `migration ${file.path} has no schema to make tables in: the role's search_path names none that exists`,
    );
  }
}

async function applyTransaction(file: Pending, stage: Stage, { client, finish }: Staging): Promise<void> {
  await transact(client, async () => {
    await setOwnPath(file, client, true);
    await client.query(
      `SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS}; SET LOCAL idle_in_transaction_session_timeout = ${IDLE_TIMEOUT_MS}`,
    );
    if (!isCustom(file)) await verbatim(client).query(stage.text);
    // One by one: an error that has no position, of a row or a function, then has the line of its statement.
    else for (const statement of splitStatements(stage.text)) await runStatement(statement, stage, client);
    await finish();
  });
}

async function runStatement(statement: Statement, stage: Stage, client: ClientBase): Promise<void> {
  await verbatim(client)
    .query(statement.text)
    .catch((error: unknown) => {
      throw error instanceof DatabaseError ? atPlace(error, stage, statement) : error;
    });
}

/** Each of its statements may run again, so that a stage that was cut off begins anew. */
async function applyStatements(
  file: Pending,
  stage: Stage,
  { client, signal, finish }: Staging,
): Promise<void> {
  const { rows } = await client.query<{ path: string }>(
    "SELECT pg_catalog.current_setting('search_path') AS path",
  );
  await setOwnPath(file, client, false);
  try {
    for (const statement of splitStatements(stage.text)) {
      signal?.throwIfAborted();
      await runStatement(statement, stage, client).catch(async (error: unknown) => {
        // Who is told to stop has no time: the next run drops it.
        if (signal?.aborted !== true) await dropInvalid(statement, client).catch(() => undefined);
        throw error;
      });
    }
    // The file may have set default_transaction_read_only; what it has set is put back within.
    await client.query("BEGIN READ WRITE");
    await finish();
    await client.query("COMMIT");
  } finally {
    await client
      .query("SELECT pg_catalog.set_config('search_path', $1, false)", [rows[0]?.path ?? ""])
      .catch(() => undefined);
  }
}

const BUILDS_INDEX =
  /^CREATE (?:UNIQUE )?INDEX CONCURRENTLY ("(?:[^"]|"")+"|\w+) ON (?:("(?:[^"]|"")+"|\w+)\.)?/;

/** A build that fails leaves an invalid index: each write pays for it, and a unique one may refuse rows. */
async function dropInvalid({ text }: Statement, client: ClientBase): Promise<void> {
  const [, name, schema] = BUILDS_INDEX.exec(text) ?? [];
  if (name === undefined) return;
  await client.query(
    `DROP INDEX CONCURRENTLY IF EXISTS ${schema === undefined ? name : `${schema}.${name}`}`,
  );
}

/** The server counts characters from the beginning of what it was sent; where it does not say, the statement itself is the place. */
function atPlace(error: DatabaseError, stage: Stage, { index }: Statement): DatabaseError {
  const before = [...stage.text.slice(0, index)].length;
  error.position = String(before + Number(error.position ?? 1));
  return error;
}

/** Rows from before that break a rule which is new: PostgreSQL names table and constraint, and no row. */
function findingRows({ sql: text }: Pending, { code, constraint, table }: DatabaseError): string | undefined {
  if (code !== STATE.check_violation || constraint === undefined || table === undefined) return undefined;
  const added = text
    .split("\n")
    .find((line) => /^ALTER TABLE .+ NOT VALID;$/.test(line) && line.includes(constraint));
  const [, relation, condition] =
    /^ALTER TABLE (.+) ADD CONSTRAINT .+? CHECK \((.*)\) NOT VALID;$/.exec(added ?? "") ?? [];
  const rule = condition ?? `… the condition that an earlier migration gave ${constraint} …`;
  return `Rows of ${table} from before break it; find them with SELECT * FROM ${relation ?? escapeIdentifier(table)} WHERE NOT (${rule}), settle them, and migrate again.`;
}

function namingOwner({ code }: DatabaseError): string | undefined {
  return code === STATE.insufficient_privilege
    ? "Who migrates must own what is there: roles.sql, run by an administrator, gives it to the owner."
    : undefined;
}

/** Tables, indexes, views and sequences of a schema share one namespace. */
function namingTaken(file: Pending, { code }: DatabaseError): string | undefined {
  return code === STATE.duplicate_table && !isCustom(file)
    ? "Somebody else has made what is called so: give the table another name or schema in mesh.yaml, or say existing: true where it is the one that is meant."
    : undefined;
}

/** Keeps the SQLSTATE in sight and says where in the file, which `stage` has the lines of; a lost connection is not the file's fault and stays as it is. */
function failedFile(file: Pending, stage: Stage, cause: DatabaseError): Error {
  if (classify(cause) === "unavailable") return cause;
  const offset = Number(cause.position ?? Number.NaN);
  const before = [...stage.text].slice(0, offset - 1);
  const line = Number.isNaN(offset) ? "" : `:${before.filter((sign) => sign === "\n").length + 1}`;
  const detail = [
    cause.detail,
    cause.hint,
    findingRows(file, cause),
    namingOwner(cause),
    namingTaken(file, cause),
    orderingHint(file, cause),
  ]
    .filter((part) => part !== undefined)
    .join(" ");
  return new MigrationError(
    `migration ${file.path}${line} failed and was rolled back: ${cause.message} (SQLSTATE ${cause.code ?? "unknown"})` +
      (detail === "" ? "" : `. ${detail}`),
    { cause },
  );
}
