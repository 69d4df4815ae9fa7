import type { Pool } from "pg";
import { hasState, isUnavailable } from "../database/database-errors.js";
import { requireOwnSessions } from "../database/pooler.js";
import { retryWhile } from "../database/retry.js";
import type { DatabaseDefinition } from "../definition/service-definition.js";
import { mayMigrate, migrate, migrationState, TablesHeld } from "../schema/index.js";
import type { Service } from "./assemble.js";

/*
 * The database's part of a start: waited for as long as it takes.
 */

/** Of a service without one at once. Resolves once the database answers, gives sessions of our own, and has every migration. */
export async function prepareDatabase(service: Service): Promise<void> {
  const { definition, config, state, pools } = service;
  const { database } = definition;
  if (pools === undefined || database === undefined || config.database === undefined) return;
  const { pool } = pools;
  const { variable } = config.database;
  const connect = () => requireOwnSessions({ pool, service: definition.name, variable });
  await withDatabase(service, connect, isClosed);
  state.phase = "applying migrations";
  await withDatabase(service, () => applyMigrations(service, { pool, database, variable }));
}

/** "database is not currently accepting connections": whoever maintains it opens it again. Of a statement the state means something else. */
function isClosed(error: unknown): boolean {
  return hasState(error, "object_not_in_prerequisite_state");
}

/** Migrations that somebody else applies are not applied yet. */
class NotMigrated extends Error {
  override readonly name = "NotMigrated";
}

interface Migrated {
  readonly pool: Pool;
  readonly database: DatabaseDefinition;
  readonly variable: string;
}

async function applyMigrations(
  { definition, config, logger, stopping }: Service,
  { pool, database, variable }: Migrated,
): Promise<void> {
  const files = { ...database, service: definition.name };
  if (config.migrate && (await mayMigrate(pool))) {
    const { tables, views = [] } = definition;
    await migrate(pool, { ...files, tables, views, logger, signal: stopping.signal });
    return;
  }
  const theRole = `the role of ${variable}`;
  const { pending } = await migrationState(pool, files).catch((error: unknown) => {
    if (!hasState(error, "insufficient_privilege")) throw error;
    throw new NotMigrated(
      `${error.message}: ${theRole} has no grants yet (mesh migrate gives them, as the owner)`,
    );
  });
  if (pending.length === 0) return;
  const why = config.migrate ? `${theRole} may not migrate (mesh migrate does, as the owner)` : "MIGRATE=off";
  throw new NotMigrated(`${why}, and ${pending.join(", ")} not applied yet`);
}

async function withDatabase<T>(
  { state, logger, stopping }: Service,
  work: () => Promise<T>,
  isAlsoRetryable: (error: unknown) => boolean = () => false,
): Promise<T> {
  const waits = (error: unknown) => error instanceof NotMigrated || error instanceof TablesHeld;
  const result = await retryWhile(work, {
    isRetryable: (error) => isUnavailable(error) || isAlsoRetryable(error) || waits(error),
    onFailure: (error, waitMs) => {
      state.trouble = error instanceof Error && waits(error) ? error.message : "the database is out of reach";
      logger.warn({ error, waitMs }, state.trouble);
    },
    signal: stopping.signal,
  });
  delete state.trouble;
  return result;
}
