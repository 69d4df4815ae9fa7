import type { Duplex } from "node:stream";
import { Pool } from "pg";
import type { Logger } from "../definition.js";
import { sessionUrl } from "./session.js";

export interface PoolOptions {
  readonly url: string;
  readonly service: string;
  readonly max: number;
  readonly logger: Logger;
  /** How long a statement waits for a row that someone else holds; without it, for ever. */
  readonly lockTimeoutMs?: number;
  /** How long to wait for a connection. Default 5000. */
  readonly connectTimeoutMs?: number;
  /** How long a statement may run; without it, for ever. */
  readonly statementTimeoutMs?: number;
  /** The way to the server, where it is not the network's. */
  readonly stream?: () => Duplex;
}

/** How long to wait for a free connection, or for a new one to be made. */
const CONNECT_MS = 5_000;

/**
 * Nothing of ours is silent in a transaction for longer, a hook has a minute. A process that is frozen in one keeps
 * rows from every other replica until then.
 */
const IDLE_TRANSACTION_MS = 120_000;

/** Sessions have our settings, are recognisable in pg_stat_activity, and outlive neither their server nor the process. */
export function createPool(options: PoolOptions): Pool {
  const { url, service, max, logger, lockTimeoutMs, statementTimeoutMs, connectTimeoutMs, stream } = options;
  const settings = {
    idle_in_transaction_session_timeout: String(IDLE_TRANSACTION_MS),
    lock_timeout: String(lockTimeoutMs ?? 0),
    statement_timeout: String(statementTimeoutMs ?? 0),
  };
  const pool = new Pool({
    connectionString: sessionUrl(url, `meshwright ${service}`, settings),
    max,
    connectionTimeoutMillis: connectTimeoutMs ?? CONNECT_MS,
    keepAlive: true,
    ...(stream === undefined ? {} : { stream }),
  });
  // Without a listener a connection that breaks while nobody uses it ends the process.
  pool.on("error", (error) => logger.warn({ error }, "an idle database connection broke"));
  return pool;
}
