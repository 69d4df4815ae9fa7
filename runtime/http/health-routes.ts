import type { FastifyInstance } from "fastify";

/** What a service can do now. `degraded`: it serves requests, but something lags or is out of reach. */
export interface Health {
  readonly status: "ready" | "degraded" | "unready";
  /** Why the service is not ready, for a person; absent when it is. */
  readonly reasons?: readonly string[];
  readonly checks: Readonly<Record<string, unknown>>;
}

/** Paths that need no key: orchestrators and load balancers have none. */
export const OPEN_PATHS: ReadonlySet<string | undefined> = new Set(["/healthz", "/readyz"]);

/** `/healthz`: 200 while the process runs. `/readyz`: 503 keeps traffic away; 200 with "degraded" says what is wrong. */
export function serveHealth(app: FastifyInstance, health: () => Promise<Health>): void {
  app.get("/healthz", (_request, reply) => reply.header("cache-control", "no-store").send({ status: "ok" }));
  app.get("/readyz", async (_request, reply) => {
    const report = await health();
    const unready = report.status === "unready";
    if (unready) reply.header("retry-after", "2");
    return reply
      .code(unready ? 503 : 200)
      .header("cache-control", "no-store")
      .send(report);
  });
}
