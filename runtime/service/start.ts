import type { FastifyInstance } from "fastify";
import type { Pool } from "pg";
import { connectJetStream } from "../broker/jetstream.js";
import { ConfigurationError } from "../configuration-error.js";
import { hasState, isUnavailable } from "../database/database-errors.js";
import { createPool } from "../database/pool.js";
import { requireOwnSessions } from "../database/pooler.js";
import { retryWhile } from "../database/retry.js";
import type { Logger, ServiceDefinition } from "../definition.js";
import { buildServer } from "../http/server.js";
import { sourceOf } from "../resync/snapshot-source.js";
import { mayMigrate, migrate, migrationState } from "../schema/index.js";
import { type Environment, readConfig, type ServiceConfig } from "./config.js";
import { requireHooks } from "./hooks.js";
import { createLogger } from "./logger.js";
import { type Parts, startParts } from "./parts.js";
import { HEALTH_TIMEOUT_MS, openHealth } from "./readiness.js";
import { releaseMark } from "./release.js";
import { closedReason, type ServiceState } from "./state.js";
import { closePools, stopService } from "./stop.js";

export interface RunningService {
  readonly url: string;
  readonly port: number;
  readonly logger: Logger;
  /** Resolves once it takes work, or is stopped before; rejects when its start is refused: by its start hook, or by a migration. */
  readonly ready: Promise<void>;
  /** Finishes what is in flight, publishes what waits, and lets go of everything. Safe to call twice. */
  stop(): Promise<void>;
}

export interface StartOptions {
  readonly logger?: Logger;
}

/** What the phases of a service share. */
export interface Service {
  readonly definition: ServiceDefinition;
  readonly config: ServiceConfig;
  readonly logger: Logger;
  readonly state: ServiceState;
  /** For relay, consumers and start-up. */
  readonly pool: Pool;
  /** For requests: however many there are, events flow on. */
  readonly requestPool: Pool;
  /** For `/readyz`: it needs no key, so nobody else waits for it. */
  readonly healthPool: Pool;
  readonly app: FastifyInstance;
  /** Aborted by stop: ends every wait of the start. */
  readonly stopping: AbortController;
  parts: Parts | undefined;
}

const REQUEST_CONNECTIONS = 10;
const PART_CONNECTIONS = 4;
/** A batch, a snapshot and its merge. */
const CONSUMER_CONNECTIONS = 3;
const LOCK_TIMEOUT_MS = 10_000;

/**
 * Runs a service in this process. Resolves as soon as it listens: `/healthz` and `/readyz` answer from
 * then on, everything else once `ready` has resolved. Waits for its database as long as it takes, and
 * needs neither broker nor snapshot source to start. Rejects with `ConfigurationError` or `HooksError`
 * when it cannot ever run like this, and when its port is taken.
 */
export async function startService(
  definition: ServiceDefinition,
  env: Environment,
  options: StartOptions = {},
): Promise<RunningService> {
  requireHooks(definition);
  const config = readConfig(definition, env);
  const logger = options.logger ?? createLogger(definition.name, config.logLevel);
  const service = assemble(definition, config, logger);
  try {
    await service.app.listen({ host: config.host, port: config.port });
  } catch (error) {
    await closePools(service);
    if (isTaken(error)) throw new PortTaken(config, error);
    throw cannotListen(error) ? unlistenable(error, definition.name, config) : error;
  }
  const [url, port] = addressOf(service);
  logger.info({ url, mesh: definition.mesh }, "listening");
  for (const warning of config.warnings) logger.warn({}, warning);
  const ready = bringUp(service);
  // Refusals are logged where they happen; a caller that does not ask must not be ended by one.
  ready.catch(() => undefined);
  let stopped: Promise<void> | undefined;
  return {
    url,
    port,
    logger,
    ready,
    stop: () => {
      stopped ??= stopService(service, ready);
      return stopped;
    },
  };
}

/** It may be free later: a former replica may be about to stop. */
export class PortTaken extends Error {
  override readonly name = "PortTaken";
  constructor({ host, port }: ServiceConfig, cause: Error) {
    super(`port ${port} of ${host} is taken by another process: end it, or set PORT to another one`, {
      cause,
    });
  }
}

function isTaken(error: unknown): error is Error {
  return error instanceof Error && "code" in error && error.code === "EADDRINUSE";
}

/** An address that is not this machine's, or that nobody can have. */
function cannotListen(error: unknown): error is Error & { readonly code: string } {
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "string" &&
    ["ENOTFOUND", "EAI_AGAIN", "EADDRNOTAVAIL", "EINVAL", "EACCES"].includes(error.code)
  );
}

function unlistenable({ code }: { readonly code: string }, service: string, { host, port }: ServiceConfig) {
  return new ConfigurationError(service, [
    `HOST ${JSON.stringify(host)} and PORT ${port} cannot be listened on (${code}); HOST is an address of this machine, such as 0.0.0.0`,
  ]);
}

function assemble(definition: ServiceDefinition, config: ServiceConfig, logger: Logger): Service {
  const shared = { url: config.databaseUrl, service: definition.name, logger };
  const max = PART_CONNECTIONS + CONSUMER_CONNECTIONS * definition.consumers.length;
  const pool = createPool({ ...shared, service: `${definition.name} ${releaseMark(definition)}`, max });
  const requestPool = createPool({ ...shared, max: REQUEST_CONNECTIONS, lockTimeoutMs: LOCK_TIMEOUT_MS });
  const healthPool = createPool({
    ...shared,
    service: `${definition.name} readiness`,
    max: 1,
    connectTimeoutMs: HEALTH_TIMEOUT_MS,
    statementTimeoutMs: HEALTH_TIMEOUT_MS / 2,
  });
  const state: ServiceState = { phase: "waiting for the database" };
  const syncing = definition.consumers.filter((consumer) => sourceOf(consumer, config.env) !== undefined);
  const app = buildServer({
    service: definition.name,
    resources: definition.http?.resources ?? [],
    pool: requestPool,
    keys: config.keys,
    logger,
    health: openHealth({ state, pool: healthPool, parts: () => service.parts }),
    operations: {
      resyncable: () => syncing.map(({ durable }) => durable),
      resync: async (durable, how) =>
        (await service.parts?.resync(durable, how)) ?? { durable, error: "not started" },
    },
    closed: () => closedReason(state),
  });
  const stopping = new AbortController();
  const service: Service = {
    definition,
    config,
    logger,
    state,
    pool,
    requestPool,
    healthPool,
    app,
    stopping,
    parts: undefined,
  };
  return service;
}

async function bringUp(service: Service): Promise<void> {
  const { definition, config, logger, state, pool } = service;
  try {
    const url = { pool, service: definition.name, variable: config.databaseVariable };
    await withDatabase(service, () => requireOwnSessions(url));
    state.phase = "applying migrations";
    await withDatabase(service, () => prepareDatabase(service));
    state.phase = "running the start hook";
    await definition.start?.({ env: config.env, logger });
    service.stopping.signal.throwIfAborted();
    const broker =
      config.broker && (await connectJetStream({ ...config.broker, name: definition.name, logger }));
    service.parts = startParts({ definition, broker, env: config.env, pool, logger });
    if (state.phase === "running the start hook") state.phase = "serving";
    logger.info({}, "started");
  } catch (error) {
    if (service.stopping.signal.aborted) return;
    state.phase = "refused to start";
    logger.error({ error }, "the start is refused");
    throw error;
  }
}

/** Someone else's migrations are still to come. */
class NotMigrated extends Error {
  override readonly name = "NotMigrated";
}

async function prepareDatabase({ definition, config, logger, pool, stopping }: Service): Promise<void> {
  const files = { service: definition.name, migrations: definition.database.migrations };
  if (config.migrate && (await mayMigrate(pool))) {
    await migrate(pool, { ...files, logger, signal: stopping.signal });
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

function addressOf({ app, config }: Service): [url: string, port: number] {
  const address = app.server.address();
  const port = typeof address === "object" && address !== null ? address.port : config.port;
  const anywhere = config.host === "0.0.0.0" || config.host === "::";
  const host = anywhere ? "127.0.0.1" : config.host.includes(":") ? `[${config.host}]` : config.host;
  return [`http://${host}:${port}`, port];
}
