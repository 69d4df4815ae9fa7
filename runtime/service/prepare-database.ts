import { hasState, isUnavailable } from "../database/database-errors.js";
import { requireOwnSessions } from "../database/pooler.js";
import { retryWhile } from "../database/retry.js";
import { mayMigrate, migrate, migrationState } from "../schema/index.js";
import type { Service } from "./assemble.js";

/*
 * The database's part of a start: waited for as long as it takes.
 */

/** Resolves once the database answers, gives sessions of our own, and has every migration. */
export async function prepareDatabase(service: Service): Promise<void> {
  const { definition, config, state, pool } = service;
  const url = { pool, service: definition.name, variable: config.databaseVariable };
  await withDatabase(service, () => requireOwnSessions(url));
  state.phase = "applying migrations";
  await withDatabase(service, () => applyMigrations(service));
}

/** Migrations that somebody else applies are not applied yet. */
class NotMigrated extends Error {
  override readonly name = "NotMigrated";
}

async function applyMigrations({ definition, config, logger, pool, stopping }: Service): Promise<void> {
  const files = { ...definition.database, service: definition.name };
  if (config.migrate && (await mayMigrate(pool))) {
    await migrate(pool, { ...files, tables: definition.tables, logger, signal: stopping.signal });
    return;
  }
  const theRole = `the role of ${config.databaseVariable}`;
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

async function withDatabase<T>({ state, logger, stopping }: Service, work: () => Promise<T>): Promise<T> {
  const result = await retryWhile(work, {
    isRetryable: (error) => isUnavailable(error) || error instanceof NotMigrated,
    onFailure: (error, waitMs) => {
      state.trouble = error instanceof NotMigrated ? error.message : "the database is out of reach";
      logger.warn({ error, waitMs }, state.trouble);
    },
    signal: stopping.signal,
  });
  delete state.trouble;
  return result;
}
