import { runChaos } from "./chaos.js";
import { KIND_NAMES } from "./faults/plan.js";
import { type ChaosOptions, readOptions, USAGE } from "./options.js";
import { describeRound, describeSummary, summarise } from "./report.js";
import { describeSoak, runSoak } from "./soak.js";

/*
 * `npm run chaos`: the reference mesh as real processes on real servers, under a steady load of writes. Each round breaks
 * something, waits until the mesh is quiescent, and checks every promise.
 */

// One listener per child process, which must not outlive this one.
process.setMaxListeners(100);

process.exit(await main(process.argv.slice(2)));

async function main(args: readonly string[]): Promise<number> {
  const options = read(args);
  if (options === undefined) return 2;
  if (options === "help") {
    process.stdout.write(USAGE);
    return 0;
  }
  // Progress must not mix with the JSON.
  const out = options.json ? process.stderr : process.stdout;
  out.write(`chaos, seed ${options.seed}\n`);
  if (options.soak !== undefined) return await soak(options);
  const report = await runChaos(options, (round) => out.write(`${describeRound(round, options.seed)}\n`));
  const summary = summarise(report);
  if (options.json) process.stdout.write(`${JSON.stringify(summary, null, 2)}\n`);
  else out.write(`${describeSummary(summary)}\n`);
  return summary.violations > 0 ? 1 : 0;
}

async function soak(options: ChaosOptions): Promise<number> {
  const report = await runSoak(options, (text) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${text} `);
  });
  if (options.json) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  else process.stdout.write(`${describeSoak(report)}\n`);
  return report.series.some(({ grows }) => grows) ? 1 : 0;
}

function read(args: readonly string[]): ChaosOptions | "help" | undefined {
  try {
    const options = readOptions(args);
    const unknown = options === "help" ? undefined : options.only?.find((kind) => !KIND_NAMES.includes(kind));
    if (unknown !== undefined)
      throw new Error(`--only: there is no fault "${unknown}"; there are ${KIND_NAMES.join(", ")}`);
    return options;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
    return undefined;
  }
}
