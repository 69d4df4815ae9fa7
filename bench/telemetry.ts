import { execFile } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { connectJetStream } from "../runtime/broker/jetstream.js";
import { startTracing } from "../runtime/service/start-tracing.js";
import { openMeter } from "../runtime/telemetry/meter.js";
import { isTraced } from "../runtime/telemetry/spans.js";
import { silent } from "../test/support/loggers.js";
import { CONSUMER_TABLES, definitionOn, fresh, publishEvents, runRuntime } from "./consumer.js";
import { createMeshDatabase, dropAll } from "./database.js";
import { NODE_ARGUMENTS } from "./node-arguments.js";
import { median, row } from "./row.js";
import type { Bench, Section } from "./section.js";

export const telemetry: Section = {
  name: "telemetry",
  about: `What metrics and traces cost the consumer: the same events applied without them, with metrics, and with metrics and one trace
of a hundred sampled. What instruments a process stays in it, so each round has processes of their own; a figure is the median of three runs
after one that warms up.`,
  // Its processes take longer to load than they apply events.
  forms: ["full"],
  measure: async (bench) => {
    const rates = await contest(bench, bench.by({ smoke: 300, short: 20_000, full: 40_000 }));
    const against = (what: string, samples: readonly number[]) =>
      row({
        what,
        unit: "/s",
        samples,
        yardstick: { what: "without either", samples: rates.plain },
        goal: { of: "ratio", atLeast: 0.95 },
      });
    return [
      against("events applied with metrics", rates.metrics),
      against("and with one trace of a hundred sampled", rates.traces),
    ];
  },
};

/** In one process, after the first: a process that has just begun takes as much time to compile and to attach as to apply. */
const RUNS = 3;

const MODES = ["plain", "metrics", "traces"] as const;
type Mode = (typeof MODES)[number];
type Rates = Readonly<Record<Mode, number[]>>;

async function contest(bench: Bench, events: number): Promise<Rates> {
  const servers = await bench.servers();
  const { natsUrl } = servers;
  const token = `bench${randomUUID().slice(0, 8)}`;
  const database = await createMeshDatabase(servers, token, CONSUMER_TABLES);
  const broker = await connectJetStream({ url: natsUrl, name: token, logger: silent });
  const collector = createServer((request, response) => {
    request
      .resume()
      .on("end", () => response.writeHead(200, { "content-type": "application/json" }).end("{}"));
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const { port } = collector.address() as AddressInfo;
  const rates: Rates = { plain: [], metrics: [], traces: [] };
  try {
    await broker.ensureStream(definitionOn(token).stream);
    await publishEvents(natsUrl, token, { count: events, traceparentOf: traceparentAt });
    for (let round = 0; round < bench.rounds; round += 1)
      for (const mode of MODES) {
        const run = [mode, database, natsUrl, token, String(events), String(round)];
        rates[mode].push(await runApart(run, `http://127.0.0.1:${port}`));
      }
  } finally {
    collector.close();
    await broker.close();
    await dropAll(servers, token, token);
  }
  return rates;
}

function traceparentAt(at: number): string {
  const flags = at % 100 === 0 ? "01" : "00";
  return `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-${flags}`;
}

async function runApart(run: readonly string[], collector: string): Promise<number> {
  const env = {
    ...process.env,
    ...(run[0] === "traces" && {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_TRACES_EXPORTER: "otlp",
      OTEL_METRICS_EXPORTER: "none",
      OTEL_LOGS_EXPORTER: "none",
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.01",
    }),
  };
  const args = [...NODE_ARGUMENTS, fileURLToPath(import.meta.url), ...run];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env });
  return Number(stdout);
}

async function measure(
  mode: Mode,
  [database, natsUrl, token, events, round]: readonly string[],
): Promise<number> {
  const tracing = mode === "traces" ? await startTracing("bench", process.env, silent) : undefined;
  if (isTraced() !== (mode === "traces")) throw new Error(`${mode}: traced is ${isTraced()}`);
  const pool = new pg.Pool({ connectionString: database, max: 4, options: "-c TimeZone=UTC" });
  const broker = await connectJetStream({ url: natsUrl ?? "", name: "bench", logger: silent });
  const onBatch = mode === "plain" ? undefined : openMeter("bench").batch;
  const bench = { pool, broker, definition: definitionOn(token ?? ""), events: Number(events), onBatch };
  const rates: number[] = [];
  for (let run = 0; run <= RUNS; run += 1)
    rates.push(await fresh(bench, `${mode}_${round}_${run}`, runRuntime));
  await broker.close();
  await pool.end();
  await tracing?.stop();
  return median(rates.slice(1));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [, , asked, ...run] = process.argv;
  const mode = MODES.find((one) => one === asked);
  if (mode === undefined) throw new Error(`no mode ${asked}`);
  process.stdout.write(String(await measure(mode, run)));
}
