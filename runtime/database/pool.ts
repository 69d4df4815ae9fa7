import type { Duplex } from "node:stream";
import { Pool } from "pg";
import type { Logger } from "../definition/hook-definition.js";
import { renewing } from "./connecting.js";
import { connecting } from "./mesh-schema.js";
import { sessionUrl } from "./session.js";

export interface PoolOptions {
  readonly url: string;
  /** The URL as it is now, asked for at each connection: passwords are replaced while a service runs. Default: always `url`. */
  readonly renew?: ((warn: (problem: string) => void) => string) | undefined;
  /** The sessions' application_name is `meshwright <service>`. */
  readonly service: string;
  /** Connections at once. */
  readonly max: number;
  readonly logger: Logger;
  /** How long a statement waits for a lock, in ms. Default: for ever. */
  readonly lockTimeoutMs?: number;
  /** How long to wait for a connection, in ms. Default 5000. */
  readonly connectTimeoutMs?: number;
  /** How long a statement may run, in ms. Default: for ever. */
  readonly statementTimeoutMs?: number;
  /** Schema of the mesh's tables. Default `mesh`. */
  readonly meshSchema?: string | undefined;
  /** Makes the stream to the server, where that is not a socket: for the simulator. */
  readonly stream?: () => Duplex;
}

const CONNECT_MS = 5_000;

/**
 * The server ends a transaction that is idle for this long: a frozen process would otherwise keep its locks from every other
 * replica. Nothing of ours is idle in a transaction for longer; a hook has a minute.
 */
const IDLE_TRANSACTION_MS = 120_000;

/** A pool whose sessions have the runtime's settings, and can be told apart in pg_stat_activity. */
export function createPool(options: PoolOptions): Pool {
  const { url, service, max, logger, lockTimeoutMs, statementTimeoutMs, connectTimeoutMs } = options;
  const { meshSchema, stream, renew } = options;
  const settings = {
    idle_in_transaction_session_timeout: String(IDLE_TRANSACTION_MS),
    lock_timeout: String(lockTimeoutMs ?? 0),
    statement_timeout: String(statementTimeoutMs ?? 0),
  };
  const warned = new Set<string>();
  const warn = (problem: string) => {
    if (!warned.has(problem)) logger.warn({ problem }, "a secret is used as it was before");
    warned.add(problem);
  };
  const current = renewing(
    (each) => sessionUrl(renew?.(each) ?? url, `meshwright ${service}`, settings),
    warn,
  );
  const pool = new Pool({
    ...current(),
    ...{ current },
    max,
    connectionTimeoutMillis: connectTimeoutMs ?? CONNECT_MS,
    keepAlive: true,
    ...(stream === undefined ? {} : { stream }),
    ...connecting(meshSchema),
  });
  // Without a listener, an idle connection that breaks would end the process.
  pool.on("error", (error) => logger.warn({ error }, "an idle database connection broke"));
  return pool;
}
