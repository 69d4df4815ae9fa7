import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { METRICS, type Observed } from "./metric-table.js";

/*
 * The metrics of one service: durations, which are measured as they pass, and figures, which are read when somebody asks.
 */

/** One batch of a durable that was settled. */
export interface MeasuredBatch {
  readonly consumer: string;
  readonly seconds: number;
  /** Of its oldest message: from where the stream stored it to where it was settled. */
  readonly delaySeconds: number;
}

/** One request that was answered. */
export interface MeasuredRequest {
  readonly method: string;
  /** The path with its parameters: `/api/users/:id`. Empty where there is none at the path. */
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
}

export interface Meter {
  batch(batch: MeasuredBatch): void;
  request(request: MeasuredRequest): void;
  /** In Prometheus' text format, and its content type. */
  page(observed: Observed): Promise<MetricsPage>;
}

export interface MetricsPage {
  readonly type: string;
  readonly text: string;
}

/** As OpenTelemetry advises for durations of messages and of requests. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** A message may wait for hours behind one that fails. */
const DELAY_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200];

/** Of the process: memory, CPU, event loop, garbage collection. Observed once, however many services run in it. */
let processMetrics: Registry | undefined;

function openProcessMetrics(): Registry {
  if (processMetrics === undefined) {
    processMetrics = new Registry();
    collectDefaultMetrics({ register: processMetrics });
  }
  return processMetrics;
}

/** Every series has the label `service_name`, as OpenTelemetry calls it: that of the scrape may be called otherwise. */
export function openMeter(service: string): Meter {
  const process = openProcessMetrics();
  const durations = new Registry();
  const registers = [durations];
  const batches = new Histogram({
    name: "mesh_batch_duration_seconds",
    help: "Time in which a batch of messages was settled: applied, deferred or made dead letters.",
    labelNames: ["consumer"],
    buckets: BUCKETS,
    registers,
  });
  const delays = new Histogram({
    name: "mesh_delivery_delay_seconds",
    help: "From the stream to the settled message, of the oldest message of each batch.",
    labelNames: ["consumer"],
    buckets: DELAY_BUCKETS,
    registers,
  });
  const requests = new Histogram({
    name: "http_server_request_duration_seconds",
    help: "Time in which a request was answered.",
    labelNames: ["http_request_method", "http_route", "http_response_status_code"],
    buckets: BUCKETS,
    registers,
  });
  return {
    batch({ consumer, seconds, delaySeconds }) {
      batches.observe({ consumer }, seconds);
      delays.observe({ consumer }, Math.max(0, delaySeconds));
    },
    request({ method, route, status, seconds }) {
      requests.observe(
        { http_request_method: method, http_route: route, http_response_status_code: status },
        seconds,
      );
    },
    async page(observed) {
      const all = Registry.merge([figuresOf(observed), durations, process]);
      all.setDefaultLabels({ service_name: service });
      return { type: all.contentType, text: await all.metrics() };
    },
  };
}

/** Made anew for each page: a series that nobody knows a value of now does not stay with its last one. */
function figuresOf(observed: Observed): Registry {
  const registry = new Registry();
  for (const { name, help, kind, labels, read } of METRICS) {
    const samples = read(observed);
    if (samples.length === 0) continue;
    const configuration = { name, help, labelNames: [...labels], registers: [registry] };
    switch (kind) {
      case "gauge": {
        const metric = new Gauge(configuration);
        for (const [of, value] of samples) metric.set(of, value);
        break;
      }
      case "counter": {
        const metric = new Counter(configuration);
        for (const [of, value] of samples) metric.inc(of, value);
        break;
      }
      default:
        kind satisfies never;
    }
  }
  return registry;
}
