import type { FastifyInstance } from "fastify";
import { waitAtMost } from "../pause.js";
import type { Service } from "./assemble.js";
import { closePools } from "./pools.js";

/** Requests in flight get this long to end. */
const REQUEST_GRACE_MS = 5_000;
/** Connections that are still in use after this time are left to the server. */
const POOL_GRACE_MS = 3_000;

/**
 * Stops in order: no new work comes in, what is in flight ends, then the relay publishes what that work left in the outbox. A
 * part that fails to stop is logged, and the others still stop.
 */
export async function stopService(service: Service, ready: Promise<void>): Promise<void> {
  const { logger, state, app } = service;
  logger.info({}, "stopping");
  state.phase = "stopping";
  service.stopping.abort();
  const attempt = async (what: string, work: () => Promise<unknown> | undefined) => {
    try {
      await work();
    } catch (error) {
      logger.error({ error }, `${what} did not stop cleanly`);
    }
  };
  // The signal ends a start that is in progress, which may just have started the parts.
  await ready.catch(() => undefined);
  await Promise.all([
    attempt("consuming", () => service.parts?.stopConsuming()),
    attempt("HTTP", () => closeHttp(app)),
  ]);
  await attempt("the relay", () => service.parts?.stop());
  await attempt("the database connections", () => waitAtMost(closePools(service.pools), POOL_GRACE_MS));
  logger.info({}, "stopped");
}

/** Finishes the requests in flight, and cuts off those that take too long. */
async function closeHttp(app: FastifyInstance): Promise<void> {
  // A connection whose last request ends only now would otherwise be kept alive.
  const idle = setInterval(() => app.server.closeIdleConnections(), 50);
  const force = setTimeout(() => app.server.closeAllConnections(), REQUEST_GRACE_MS);
  try {
    await app.close();
  } finally {
    clearInterval(idle);
    clearTimeout(force);
  }
}
