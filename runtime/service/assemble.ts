import type { FastifyInstance } from "fastify";
import type { Pool } from "pg";
import { createPool } from "../database/pool.js";
import type { Logger } from "../definition/hook-definition.js";
import type { ServiceDefinition } from "../definition/service-definition.js";
import { buildServer } from "../http/server.js";
import { sourceOf } from "../resync/snapshot-source.js";
import { type Meter, openMeter } from "../telemetry/meter.js";
import type { ServiceConfig } from "./config.js";
import { FIGURES_TIMEOUT_MS } from "./figure-session.js";
import { openMetrics } from "./observe.js";
import type { Parts } from "./parts.js";
import { openReadiness } from "./readiness.js";
import { releaseMark } from "./release.js";
import { closedReason, type ServiceState } from "./state.js";

/** A service from its start to its stop. */
export interface Service {
  readonly definition: ServiceDefinition;
  readonly config: ServiceConfig;
  readonly logger: Logger;
  readonly state: ServiceState;
  /** Undefined for a service without a database. */
  readonly pools: Pools | undefined;
  readonly app: FastifyInstance;
  readonly meter: Meter;
  /** Aborted when the service stops: ends every wait of the start. */
  readonly stopping: AbortController;
  /** Undefined until they are started. */
  parts: Parts | undefined;
}

export interface Pools {
  /** For relay, consumers and start-up. */
  readonly pool: Pool;
  /** For requests alone: however many there are, events are applied and published. */
  readonly requestPool: Pool;
  /** For `/readyz` and `/metrics` alone, one each: anyone may ask, and nobody else must wait for that. */
  readonly figurePool: Pool;
}

const REQUEST_CONNECTIONS = 10;
const PART_CONNECTIONS = 4;
/** Of each consumer: a batch, a snapshot and its merge. */
const CONSUMER_CONNECTIONS = 3;
/** A request waits for a row's lock this long. */
const LOCK_TIMEOUT_MS = 10_000;

/** Everything that a service has before it listens; nothing is connected yet. */
export function assemble(definition: ServiceDefinition, config: ServiceConfig, logger: Logger): Service {
  const pools = createPools(definition, config, logger);
  const state: ServiceState = {
    phase: pools === undefined ? "running the start hook" : "waiting for the database",
  };
  const syncing = definition.consumers.filter((consumer) => sourceOf(consumer, config.env) !== undefined);
  const meter = openMeter(definition.name);
  const app = buildServer({
    service: definition.name,
    resources: definition.http?.resources ?? [],
    openApi: definition.http?.openApi,
    pool: pools?.requestPool,
    keys: config.keys,
    logger,
    health: openReadiness({ state, pool: pools?.figurePool, parts: () => service.parts }),
    operations: {
      resyncable: () => syncing.map(({ durable }) => durable),
      resync: async (durable, how) =>
        (await service.parts?.resync(durable, how)) ?? { durable, error: "not started" },
    },
    metrics: {
      page: openMetrics({ definition, state, pools, meter, parts: () => service.parts?.running }),
      onRequest: (request) => meter.request(request),
    },
    closed: () => closedReason(state),
  });
  const stopping = new AbortController();
  const service: Service = {
    definition,
    config,
    logger,
    state,
    pools,
    app,
    meter,
    stopping,
    parts: undefined,
  };
  return service;
}

function createPools(
  definition: ServiceDefinition,
  { database }: ServiceConfig,
  logger: Logger,
): Pools | undefined {
  if (database === undefined) return undefined;
  const meshSchema = definition.database?.shared?.schema;
  const shared = { url: database.url, service: definition.name, meshSchema, logger };
  const max = PART_CONNECTIONS + CONSUMER_CONNECTIONS * definition.consumers.length;
  return {
    pool: createPool({ ...shared, service: `${definition.name} ${releaseMark(definition)}`, max }),
    requestPool: createPool({ ...shared, max: REQUEST_CONNECTIONS, lockTimeoutMs: LOCK_TIMEOUT_MS }),
    figurePool: createPool({
      ...shared,
      service: `${definition.name} figures`,
      max: 2,
      connectTimeoutMs: FIGURES_TIMEOUT_MS,
      statementTimeoutMs: FIGURES_TIMEOUT_MS / 2,
    }),
  };
}

export async function closePools({ pools }: Service): Promise<void> {
  if (pools === undefined) return;
  await Promise.all([pools.pool, pools.requestPool, pools.figurePool].map((one) => one.end()));
}
