import { startNats, startPostgres, type TestNats, type TestPostgres } from "../test/support/servers.js";
import type { Row } from "./row.js";
import { type Form, openBench, type Section, type Servers } from "./section.js";

/** Production settings: every commit is flushed to disk. */
const DURABLE = { max_connections: "300", shared_buffers: "512MB", max_wal_size: "8GB" };

export interface SectionResult {
  readonly name: string;
  readonly seconds: number;
  readonly rows: readonly Row[];
  /** What ended it before its last row. */
  readonly failure?: string;
}

/** Measures one section on servers of its own. A section that fails is reported, and the next one can run. */
export async function runSection({ name, measure }: Section, form: Form): Promise<SectionResult> {
  const started = performance.now();
  const seconds = () => Math.round((performance.now() - started) / 100) / 10;
  let running: Promise<Running> | undefined;
  try {
    const bench = openBench(form, async () => {
      running ??= startServers();
      return await running;
    });
    return { name, rows: await measure(bench), seconds: seconds() };
  } catch (error) {
    // At once: what the section left open may end this process when its servers stop.
    process.stderr.write(`${name} failed: ${error}\n`);
    const failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { name, rows: [], seconds: seconds(), failure };
  } finally {
    const { postgres, nats } = (await running?.catch(() => undefined)) ?? {};
    await nats?.remove();
    await postgres?.remove();
  }
}

interface Running extends Servers {
  readonly postgres: TestPostgres;
  readonly nats: TestNats;
}

async function startServers(): Promise<Running> {
  const postgres = await startPostgres(DURABLE);
  try {
    const nats = await startNats();
    return { postgres, nats, postgresUrl: postgres.url, natsUrl: nats.url };
  } catch (error) {
    await postgres.remove();
    throw error;
  }
}
