import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import type { Service } from "./start.js";

/** Requests under way get this long to end. */
const REQUEST_GRACE_MS = 5_000;
/** Connections that something still holds are the server's to clean up. */
const POOL_GRACE_MS = 3_000;

/**
 * The order matters: no new work comes in, what is in flight ends, and only then does the relay
 * publish what that work left in the outbox. What fails is logged, and the rest still stops.
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
  // A start under way ends by the signal; it may just have started the parts.
  await ready.catch(() => undefined);
  await Promise.all([
    attempt("consuming", () => service.parts?.stopConsuming()),
    attempt("HTTP", () => closeHttp(app)),
  ]);
  await attempt("the relay", () => service.parts?.stop());
  await attempt("the database connections", () => within(POOL_GRACE_MS, closePools(service)));
  logger.info({}, "stopped");
}

export async function closePools({ pool, requestPool, healthPool }: Service): Promise<void> {
  await Promise.all([pool, requestPool, healthPool].map((one) => one.end()));
}

/** Finishes the requests under way; those that take too long are cut off. */
async function closeHttp(app: FastifyInstance): Promise<void> {
  // A connection that ends its last request only now would otherwise be kept alive for the next.
  const idle = setInterval(() => app.server.closeIdleConnections(), 50);
  const force = setTimeout(() => app.server.closeAllConnections(), REQUEST_GRACE_MS);
  try {
    await app.close();
  } finally {
    clearInterval(idle);
    clearTimeout(force);
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  const timer = new AbortController();
  const waited = sleep(ms, undefined, { signal: timer.signal }).catch(() => undefined);
  try {
    return await Promise.race([work, waited]);
  } finally {
    timer.abort();
  }
}
