import { ConfigurationError } from "../configuration-error.js";
import type { DatabaseDefinition, ServiceDefinition } from "../definition/service-definition.js";
import { migrateAsOwner } from "../schema/index.js";
import { checkDatabase, databaseUrl, passwordVariable, readCredentials } from "./credentials.js";
import { createLogger, flushLog } from "./logger.js";
import type { Environment } from "./secret-files.js";

/**
 * `node main.js migrate`: migrates the service's database as its owner (`AUTH_DB_OWNER_URL`, else the service's own
 * URL) and grants the service's role what it needs. Resolves with the exit code: 0 also when nothing was to be done,
 * 1 where it failed. Rejects with `ConfigurationError` without a URL that can work.
 */
export async function migrateMain(definition: ServiceDefinition, env: Environment): Promise<number> {
  const { name: service, database, tables, views = [] } = definition;
  if (database === undefined) throw new ConfigurationError(service, ["it has no database to migrate"]);
  const { url, variable } = readOwnerUrl(service, database, env);
  const logger = createLogger(service, env.LOG_LEVEL || "info");
  try {
    const { applied, granted } = await migrateAsOwner(
      { service, ...database, tables, views },
      { url, variable, logger },
    );
    logger.info({ database: database.name, applied, granted }, "migrated");
    if (granted === null && variable === database.ownerUrlVariable)
      logger.warn({ role: database.roles.service }, "there is no such role to grant anything: run roles.sql");
    return 0;
  } catch (error) {
    logger.error({ error }, "not migrated");
    return 1;
  } finally {
    await flushLog();
  }
}

function readOwnerUrl(name: string, database: DatabaseDefinition, given: Environment) {
  const { ownerUrlVariable, urlVariable } = database;
  const urls = [ownerUrlVariable, urlVariable, "DATABASE_URL"];
  const { env, problems } = readCredentials([...urls, ...urls.map(passwordVariable)], given);
  if (problems.size > 0) throw new ConfigurationError(name, [...problems.values()]);
  const variable = urls.find((one) => env[one]);
  if (variable === undefined)
    throw new ConfigurationError(name, [
      `${ownerUrlVariable} is not set (nor ${urlVariable}): postgres://${database.roles.owner}:password@host:5432/${database.shared?.with ?? database.name}`,
    ]);
  const wrong = checkDatabase(variable, env);
  if (wrong.length > 0) throw new ConfigurationError(name, wrong);
  return { url: databaseUrl(variable, env) ?? "", variable };
}
