import type { FastifyInstance } from "fastify";
import type { Logger } from "../definition/hook-definition.js";
import type { ServiceDefinition } from "../definition/service-definition.js";
import { buildServer } from "../http/server.js";
import { sourceOf } from "../resync/snapshot-source.js";
import { type Meter, openMeter } from "../telemetry/meter.js";
import type { ServiceConfig } from "./config.js";
import { monitorExisting } from "./existing-monitor.js";
import { openMetrics } from "./observe.js";
import type { Parts } from "./parts.js";
import { createPools, type Pools } from "./pools.js";
import { openReadiness } from "./readiness.js";
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
    health: openReadiness({
      state,
      pool: pools?.figurePool,
      parts: () => service.parts,
      existing: monitorExisting(definition),
    }),
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
