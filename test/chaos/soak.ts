import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { DURABLES } from "./faults/fault.js";
import { type ChaosMesh, startChaosMesh } from "./mesh.js";
import type { ChaosOptions } from "./options.js";
import { SERVICES } from "./project.js";
import { createRandom } from "./random.js";
import { createWriters } from "./workload/writers.js";

/*
 * A steady load without faults: memory must not grow. The first half is warm-up; the second half is judged.
 */

export interface Series {
  readonly name: string;
  readonly unit: string;
  readonly min: number;
  readonly median: number;
  readonly max: number;
  /** Slope of a straight line through the second half, per minute. */
  readonly slope: number;
  /** Memory grows more than noise explains. */
  readonly grows: boolean;
}

export interface SoakReport {
  readonly seconds: number;
  readonly writes: Readonly<Record<string, number>>;
  readonly series: readonly Series[];
}

const SAMPLE_MS = 3_000;
/** Growth within the second half beyond both of these is not the garbage collector's noise. */
const GROWTH_MB = 15;
const GROWTH_SHARE = 0.1;

export async function runSoak(options: ChaosOptions, onSample: (text: string) => void): Promise<SoakReport> {
  const mesh = await startChaosMesh({ cluster: options.cluster });
  const minutes = options.soak ?? 1;
  const samples: Map<string, number>[] = [];
  const started = Date.now();
  try {
    const random = createRandom(options.seed).fork("soak");
    const writers = createWriters({ mesh, random, rate: options.rate, users: options.users });
    writers.resume();
    while (Date.now() - started < minutes * 60_000) {
      await sleep(SAMPLE_MS);
      samples.push(await sample(mesh));
      onSample(
        `${Math.round((Date.now() - started) / 1_000)} s, ${writers.writeLog.counts.committed} writes`,
      );
    }
    await writers.pause();
    const names = [...new Set(samples.flatMap((one) => [...one.keys()]))];
    return {
      seconds: Math.round((Date.now() - started) / 1_000),
      writes: { ...writers.writeLog.counts },
      series: names.map((name) =>
        judge(
          name,
          samples.map((one) => one.get(name) ?? 0),
        ),
      ),
    };
  } finally {
    await mesh.stop();
    await mesh.remove();
  }
}

async function sample(mesh: ChaosMesh): Promise<Map<string, number>> {
  const values = new Map<string, number>();
  for (const replica of mesh.replicas)
    values.set(`memory of ${replica.name}`, await residentMb(replica.pid()));
  for (const node of mesh.broker.nodes)
    values.set(`memory of broker ${node.name}`, await residentMb(node.server.pid));
  for (const service of SERVICES) {
    const { rows } = await mesh.databases.pools[service].query<{ waiting: number }>(
      "SELECT count(*)::integer AS waiting FROM mesh.outbox",
    );
    values.set(`outbox of ${service}`, rows[0]?.waiting ?? 0);
  }
  for (const { stream, durable } of DURABLES) {
    const { num_pending, num_ack_pending } = await mesh.broker.jsm.consumers.info(stream, durable);
    values.set(`lag of ${durable}`, num_pending + num_ack_pending);
  }
  return values;
}

async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1_024;
}

function judge(name: string, values: readonly number[]): Series {
  const sorted = [...values].sort((a, b) => a - b);
  const half = values.slice(Math.floor(values.length / 2));
  const perSample = slopeOf(half);
  const growth = perSample * half.length;
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  const memory = name.startsWith("memory");
  return {
    name,
    unit: memory ? "MB" : "rows",
    min: sorted[0] ?? 0,
    median,
    max: sorted.at(-1) ?? 0,
    slope: perSample * (60_000 / SAMPLE_MS),
    // A broker caches its streams, which grow here: reported, not judged.
    grows: memory && !name.includes("broker") && growth > Math.max(GROWTH_MB, median * GROWTH_SHARE),
  };
}

/** Least squares, per step. */
function slopeOf(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  let [above, below] = [0, 0];
  for (const [place, value] of values.entries()) {
    above += (place - middle) * (value - mean);
    below += (place - middle) ** 2;
  }
  return below === 0 ? 0 : above / below;
}

export function describeSoak(report: SoakReport): string {
  const width = Math.max(...report.series.map(({ name }) => name.length));
  const cell = (value: number) => value.toFixed(1).padStart(9);
  const head = `${"".padEnd(width)} ${["min", "median", "max", "per min"].map((text) => text.padStart(9)).join("")}`;
  const rows = report.series.map(
    ({ name, unit, min, median, max, slope, grows }) =>
      `${name.padEnd(width)} ${cell(min)}${cell(median)}${cell(max)}${cell(slope)} ${unit}${grows ? "  GROWS" : ""}`,
  );
  const { committed, refused, unknown } = report.writes;
  const writes = `${report.seconds} s, writes: ${committed} committed, ${refused} refused, ${unknown} unknown`;
  return [head, ...rows, writes].join("\n");
}
