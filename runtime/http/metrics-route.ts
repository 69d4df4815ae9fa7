import type { FastifyInstance } from "fastify";
import type { MeasuredRequest, MetricsPage } from "../telemetry/meter.js";

export const METRICS_PATH = "/metrics";

export interface MetricsOptions {
  readonly page: () => Promise<MetricsPage>;
  readonly onRequest: (request: MeasuredRequest) => void;
}

/** `GET /metrics` in Prometheus' text format, to operators, to whoever has the METRICS_KEY, or to everybody where that is `open`. */
export function serveMetrics(app: FastifyInstance, { page, onRequest }: MetricsOptions): void {
  app.addHook("onResponse", async (request, reply) => {
    onRequest({
      method: request.method,
      route: request.routeOptions.url ?? "",
      status: reply.statusCode,
      seconds: reply.elapsedTime / 1000,
    });
  });
  app.get(METRICS_PATH, { config: { access: "metrics" } }, async (_request, reply) => {
    const { type, text } = await page();
    return reply.type(type).header("cache-control", "no-store").send(text);
  });
}
