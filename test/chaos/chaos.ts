import { planFaults } from "./faults/plan.js";
import { type ChaosMesh, startChaosMesh } from "./mesh.js";
import type { ChaosOptions } from "./options.js";
import type { OracleMemory } from "./oracle/violation.js";
import { createRandom } from "./random.js";
import { type RoundReport, runRound } from "./round.js";
import { createWriters } from "./workload/writers.js";

export interface ChaosReport {
  readonly seed: number;
  readonly cluster: boolean;
  readonly rounds: readonly RoundReport[];
  readonly seconds: number;
  readonly writes: Readonly<Record<string, number>>;
  /** Messages that the streams took. */
  readonly events: number;
  /** Where logs and data are; undefined when they were removed. */
  readonly folder: string | undefined;
}

/** Duration of a round's writes and faults; some faults take longer to end. */
const WINDOW_MS = 3_000;

/** Runs all rounds on one mesh, which stays up in between. */
export async function runChaos(
  options: ChaosOptions,
  onRound: (report: RoundReport) => void = () => {},
): Promise<ChaosReport> {
  const started = Date.now();
  const mesh = await startChaosMesh({ cluster: options.cluster });
  let failed = 0;
  const rounds: RoundReport[] = [];
  try {
    const counter = countEvents(mesh);
    const writers = createWriters({
      mesh,
      random: createRandom(options.seed).fork("writers"),
      rate: options.rate,
      users: options.users,
    });
    const memory: OracleMemory = { everLost: new Set(), everRestored: new Set(), poison: new Set() };
    const over = () =>
      failed >= options.patience ||
      (options.minutes !== undefined && Date.now() - started > options.minutes * 60_000);
    for (let number = options.from; number < options.from + options.rounds && !over(); number += 1) {
      const random = createRandom(options.seed).fork(`round ${number}`);
      const faults = planFaults({ ...options, random, mesh, windowMs: WINDOW_MS });
      const report = await runRound({
        ...options,
        number,
        mesh,
        writers,
        faults,
        random,
        memory,
        windowMs: WINDOW_MS,
      });
      await counter.look();
      rounds.push(report);
      if (report.violations.length > 0) failed += 1;
      onRound(report);
    }
    return {
      seed: options.seed,
      cluster: options.cluster,
      rounds,
      seconds: Math.round((Date.now() - started) / 1_000),
      writes: { ...writers.writeLog.counts },
      events: counter.events(),
      folder: options.keep || failed > 0 ? mesh.folder : undefined,
    };
  } finally {
    await mesh.stop();
    if (!options.keep && failed === 0) await mesh.remove();
  }
}

/** Counts the messages that streams stored, across losses that reset their sequences. */
function countEvents({ broker }: ChaosMesh) {
  const last = new Map<string, number>();
  let events = 0;
  return {
    events: () => events,
    async look() {
      for (const stream of ["AUTH", "SFS", "COMPUTE", "GATEWAY"]) {
        const now = (await broker.stream(stream))?.state.last_seq ?? 0;
        const before = last.get(stream) ?? 0;
        events += now < before ? now : now - before;
        last.set(stream, now);
      }
    },
  };
}
