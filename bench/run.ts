import pg from "pg";
import { meshMigrations } from "../runtime/schema/files.js";
import { startNats, startPostgres, type TestPostgres } from "../test/support/servers.js";
import { benchConsumer } from "./consumer.js";
import { benchGenerate } from "./generate.js";
import { benchRelay } from "./relay.js";
import { printRows, type Row } from "./report.js";
import { benchSnapshot } from "./snapshot.js";
import { benchTelemetry, type TelemetryBench } from "./telemetry.js";
import { benchTrigger } from "./trigger.js";

/*
 * `npm run bench [-- SECTION…]`: the budgets, each held against its yardstick in turns within this run.
 * Absolute figures tell of the machine; the ratios are the claim. Exits 0 also over budget: it measures.
 */

/** Production settings: every commit is flushed to disk. */
const DURABLE = { max_connections: "100", shared_buffers: "512MB", max_wal_size: "8GB" };

const sections: Readonly<Record<string, () => Promise<readonly Row[]>>> = {
  generate: async () => benchGenerate(),
  trigger: () =>
    withPostgres(async (server) => triggerRows(await benchTrigger(await server.createDatabase("bench")))),
  relay: () => withServers(async ({ postgresUrl, natsUrl }) => benchRelay({ postgresUrl, natsUrl })),
  consumer: () => withServers(async (urls) => consumerRows(await benchConsumer(urls))),
  telemetry: () => withServers(async (urls) => telemetryRows(await benchTelemetry(urls))),
  snapshot: () =>
    withPostgres(async (server) =>
      snapshotRows(await benchSnapshot({ postgresUrl: server.url, rows: 1_000_000 })),
    ),
};

const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !(name in sections));
if (unknown.length > 0) {
  process.stderr.write(
    `no such section: ${unknown.join(", ")}; there are ${Object.keys(sections).join(", ")}\n`,
  );
  process.exit(2);
}
for (const [name, measure] of Object.entries(sections)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  process.stdout.write(`\n${name}\n`);
  printRows(await measure());
}

async function withPostgres<T>(use: (server: TestPostgres) => Promise<T>): Promise<T> {
  const server = await startPostgres(DURABLE);
  try {
    return await use(server);
  } finally {
    await server.remove();
  }
}

interface Urls {
  readonly postgresUrl: string;
  readonly natsUrl: string;
}

async function withServers<T>(use: (urls: Urls) => Promise<T>): Promise<T> {
  return await withPostgres(async (server) => {
    const broker = await startNats();
    try {
      const postgresUrl = await server.createDatabase("bench");
      const client = new pg.Client({ connectionString: postgresUrl });
      await client.connect();
      await client.query(`CREATE SCHEMA mesh; ${meshMigrations.map(({ text }) => text).join("")}`);
      await client.end();
      return await use({ postgresUrl, natsUrl: broker.url });
    } finally {
      await broker.remove();
    }
  });
}

function triggerRows(bench: Awaited<ReturnType<typeof benchTrigger>>): Row[] {
  const row = (what: string, ratio: number, budget: number): Row => ({
    what,
    value: `${ratio.toFixed(2)} ×`,
    budget: `≤ ${budget} ×`,
    met: ratio <= budget,
  });
  return [
    row("one row per transaction, to the bare insert", bench.single.ratio, 1.25),
    row("the same between BEGIN and COMMIT", bench.transaction.ratio, 1.25),
    ...bench.batches.map(({ rows, ratio }) => row(`${rows} rows, to the same written by hand`, ratio, 1.3)),
  ];
}

function consumerRows(bench: Awaited<ReturnType<typeof benchConsumer>>): Row[] {
  return [
    {
      what: "events applied, to the documented handler",
      value: `${bench.timesDocumented.toFixed(1)} × (${Math.round(bench.runtime)}/s)`,
      budget: "≥ 25 ×",
      met: bench.timesDocumented >= 25,
    },
    {
      what: "events applied, to receiving and acking alone",
      value: `${Math.round(bench.shareOfReceiving * 100)}%`,
      budget: "≥ 80%",
      met: bench.shareOfReceiving >= 0.8,
    },
  ];
}

function telemetryRows({ plain, metrics, traces }: TelemetryBench): Row[] {
  const row = (what: string, rate: number): Row => ({
    what,
    value: `${Math.round((rate / plain) * 100)}% (${Math.round(rate)}/s)`,
    budget: "≥ 95%",
    met: rate / plain >= 0.95,
  });
  return [
    row("events applied with metrics, to without", metrics),
    row("and with one trace of a hundred sampled", traces),
  ];
}

function snapshotRows(bench: Awaited<ReturnType<typeof benchSnapshot>>): Row[] {
  return [
    {
      what: "1,000,000 users, to bare COPY and upsert",
      value: `${Math.round(bench.share * 100)}% (${Math.round(bench.snapshot)} rows/s)`,
      budget: "≥ 50%",
      met: bench.share >= 0.5,
    },
    {
      what: "memory while it is taken, source included",
      value: `${Math.round(bench.megabytes)} MB`,
      budget: "≤ 200 MB",
      met: bench.megabytes <= 200,
    },
  ];
}
