import fc from "fast-check";
import type { Logger, ServiceDefinition } from "../runtime/definition.js";
import { describeMesh, type Samples, type SimulatedMesh } from "./mesh.js";
import { findViolations } from "./oracle.js";
import { type Plan, plans } from "./plan.js";
import { openBackends } from "./postgres/backends.js";
import { prepareDatabase, type SimulatedDatabase } from "./postgres/databases.js";
import type { TraceLine } from "./schedule.js";
import { real } from "./time.js";
import { type Ending, play, type Stage } from "./world.js";

export interface SimulateOptions {
  /** Every service of ours, hooks passed in. */
  readonly services: readonly ServiceDefinition[];
  /** URL of an empty database for each, by service. Nothing else may use that server meanwhile: its transactions would show. */
  readonly databases: Readonly<Record<string, string>>;
  /** What hooks find in their environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Values that the messages' own schemas take. */
  readonly samples?: Samples;
  readonly seed: number;
  readonly runs: number;
  /** Of a schedule to play again, as a failure named it. */
  readonly path?: string;
  /** How often a failing schedule is tried smaller; 100. Most of what can be left out is found long before. */
  readonly shrinks?: number;
  readonly logger: Logger;
  readonly onRun?: (done: Progress) => void;
  /** A promise is broken; from here on the schedule is made smaller. */
  readonly onFailure?: (violations: readonly string[]) => void;
}

export interface Progress {
  readonly runs: number;
  readonly steps: number;
}

export interface Simulation {
  readonly seed: number;
  readonly runs: number;
  readonly steps: number;
  /** Of the worlds, and of the clock on the wall. */
  readonly virtualMs: number;
  readonly ms: number;
  /** How often each fault was pulled. */
  readonly faults: Readonly<Record<string, number>>;
  readonly counterexample?: Counterexample;
}

export interface Counterexample {
  /** With the seed, plays exactly this schedule again. */
  readonly path: string;
  /** How often it was made smaller. */
  readonly shrinks: number;
  readonly plan: Plan;
  readonly violations: readonly string[];
  readonly trace: readonly TraceLine[];
}

const SHRINKS = 100;

/** Plays so many schedules; ends at the first that breaks a promise, with the least of it that still does. */
export async function simulateMesh(options: SimulateOptions): Promise<Simulation> {
  const started = real.now();
  const stage = await openStage(options);
  const total = { runs: 0, steps: 0, virtualMs: 0, faults: {} as Record<string, number> };
  let failing: { readonly ending: Ending; readonly violations: readonly string[] } | undefined;
  try {
    let smaller = 0;
    const property = fc.asyncProperty(plans, async (plan) => {
      // A smaller plan that is not tried counts as one that does not fail: then the least so far is the answer.
      if (failing !== undefined) smaller += 1;
      if (smaller > (options.shrinks ?? SHRINKS)) return;
      // A path names one schedule; where that keeps every promise, its neighbours would be tried.
      if (options.path !== undefined && total.runs > 0) return;
      for (const database of stage.all) await database.reset();
      const ending = await play(stage, plan);
      const violations = await findViolations(ending);
      total.runs += 1;
      total.steps += ending.steps;
      total.virtualMs += ending.virtualMs;
      for (const { kind } of plan.faults) total.faults[kind] = (total.faults[kind] ?? 0) + 1;
      options.onRun?.(total);
      if (violations.length === 0) return;
      if (failing === undefined) options.onFailure?.(violations);
      failing = { ending, violations };
      throw new Error(violations.join("\n"));
    });
    const { seed, runs, path } = options;
    const details = await fc.check(property, {
      seed,
      numRuns: runs,
      ...(path === undefined ? {} : { path, endOnFailure: true }),
    });
    const result = { seed, ...total, ms: Math.round(real.now() - started) };
    if (!details.failed) return result;
    // Not a promise that was broken: the simulator itself failed, and what it has not played it cannot vouch for.
    if (failing === undefined)
      throw new Error("a schedule could not be played", { cause: details.errorInstance });
    const counterexample: Counterexample = {
      path: details.counterexamplePath ?? "",
      shrinks: details.numShrinks,
      plan: failing.ending.world.plan,
      violations: failing.violations,
      trace: failing.ending.trace,
    };
    return { ...result, counterexample };
  } finally {
    await stage.close();
  }
}

interface OpenStage extends Stage {
  readonly all: readonly SimulatedDatabase[];
  close(): Promise<void>;
}

async function openStage({ services, databases, env, samples, logger }: SimulateOptions): Promise<OpenStage> {
  const prepared = await Promise.all(
    services.map(async (definition) => ({
      definition,
      database: await prepareDatabase(definition, databases[definition.name] ?? "", logger),
      env,
    })),
  );
  const mesh: SimulatedMesh = await describeMesh(prepared, samples);
  const urls = new Map(prepared.map(({ database }) => [database.name, database.url]));
  const backends = await openBackends((database) => urls.get(database) ?? "");
  const all = prepared.map(({ database }) => database);
  return {
    mesh,
    backends,
    all,
    async close() {
      await backends.close();
      await Promise.all(all.map((database) => database.close()));
    },
  };
}
