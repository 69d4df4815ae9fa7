import type { Pool } from "pg";
import { createPool } from "../database/pool.js";
import type { Logger } from "../definition/hook-definition.js";
import type { ServiceDefinition } from "../definition/service-definition.js";
import type { ServiceConfig } from "./config.js";
import { FIGURES_TIMEOUT_MS } from "./figure-session.js";
import { releaseMark } from "./release.js";

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

export function createPools(
  definition: ServiceDefinition,
  { database }: ServiceConfig,
  logger: Logger,
): Pools | undefined {
  if (database === undefined) return undefined;
  const meshSchema = definition.database?.shared?.schema;
  const { url, renew } = database;
  const shared = { url, renew, service: definition.name, meshSchema, logger };
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

export async function closePools(pools: Pools | undefined): Promise<void> {
  if (pools === undefined) return;
  await Promise.all([pools.pool, pools.requestPool, pools.figurePool].map((one) => one.end()));
}
