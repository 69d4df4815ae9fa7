import type { Logger, ServiceDefinition } from "@meshwright/runtime";
import fc from "fast-check";
import { countOutcome } from "./count-outcome.js";
import { type Coverage, createCoverage, neverExercised, type Refusals } from "./coverage.js";
import { describeMesh } from "./describe-mesh.js";
import type { MeshFacts } from "./mesh.js";
import { findViolations } from "./oracle.js";
import { type Plan, plans } from "./plan.js";
import { openBackends } from "./postgres/backends.js";
import { databaseName, prepareDatabase, type SimulatedDatabase } from "./postgres/databases.js";
import { runPlan } from "./run-plan.js";
import type { TraceLine } from "./schedule.js";
import { real } from "./time.js";
import type { Outcome, Testbed } from "./world.js";

/** A mesh, databases to run it on, and how many schedules. */
export interface SimulateOptions {
  /** The mesh's generated services, with their hooks. */
  readonly services: readonly ServiceDefinition[];
  /** By service: URL of an empty database. Nothing else may use its server: other transactions would change the schedule. */
  readonly databases: Readonly<Record<string, string>>;
  /** The environment that hooks get. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What the mesh says beside its services. */
  readonly facts?: Partial<MeshFacts>;
  readonly seed: number;
  readonly runs: number;
  /** Path of one schedule to run again, from a counterexample. */
  readonly path?: string;
  /** How many smaller schedules are tried after a failure. Default 100. */
  readonly shrinks?: number;
  /** For how long, in ms of real time; a schedule that is being tried then is run to its end. Default 120000. */
  readonly shrinkMs?: number;
  readonly logger: Logger;
  readonly onRun?: (done: Progress) => void;
  /** Called once, when a promise is broken and before the schedule is made smaller. */
  readonly onFailure?: (violations: readonly string[]) => void;
}

export interface Progress {
  readonly runs: number;
  readonly steps: number;
}

/** What was run; without a counterexample every promise was kept. */
export interface Simulation {
  readonly seed: number;
  readonly runs: number;
  readonly steps: number;
  /** Virtual time of all schedules together. */
  readonly virtualMs: number;
  /** Real time. */
  readonly ms: number;
  /** How often each fault was part of a schedule. */
  readonly faults: Readonly<Record<string, number>>;
  readonly coverage: Coverage;
  /** Names of what `coverage` has no time of, each after its kind. */
  readonly neverExercised: readonly string[];
  /** By service and table: tables whose rows PostgreSQL refused, every one. */
  readonly refused: Readonly<Record<string, Refusals>>;
  readonly counterexample?: Counterexample;
}

/** The smallest schedule found that breaks a promise. */
export interface Counterexample {
  /** Together with the seed, runs exactly this schedule again. */
  readonly path: string;
  /** How often the schedule was made smaller. */
  readonly shrinks: number;
  /** There was no more time to look for a smaller one. */
  readonly outOfTime: boolean;
  readonly plan: Plan;
  readonly violations: readonly string[];
  readonly trace: readonly TraceLine[];
}

const SHRINKS = 100;
/** For how long smaller schedules are looked for after a failure, in ms of real time. */
export const SHRINK_MS = 120_000;

/** Runs `runs` schedules. At the first that breaks a promise, finds the smallest one that still does, and ends. */
export async function simulateMesh(options: SimulateOptions): Promise<Simulation> {
  const started = real.now();
  const testbed = await openTestbed(options);
  const total = { runs: 0, steps: 0, virtualMs: 0, faults: {} as Record<string, number> };
  let failing: { readonly outcome: Outcome; readonly violations: readonly string[] } | undefined;
  try {
    let smaller = 0;
    let shrinkUntil = Number.POSITIVE_INFINITY;
    let outOfTime = false;
    const property = fc.asyncProperty(plans, async (plan) => {
      // Plans beyond the limit count as passing, so the smallest failing one so far is the answer.
      if (failing !== undefined) smaller += 1;
      if (smaller > (options.shrinks ?? SHRINKS)) return;
      outOfTime ||= real.now() > shrinkUntil;
      if (outOfTime) return;
      // A path names one schedule. If that one passes, fast-check would go on to others.
      if (options.path !== undefined && total.runs > 0) return;
      for (const database of testbed.all) await database.reset();
      const outcome = await runPlan(testbed, plan);
      const violations = await findViolations(outcome);
      await countOutcome(testbed.coverage, outcome);
      total.runs += 1;
      total.steps += outcome.steps;
      total.virtualMs += outcome.virtualMs;
      for (const { kind } of plan.faults) total.faults[kind] = (total.faults[kind] ?? 0) + 1;
      options.onRun?.(total);
      if (violations.length === 0) return;
      if (failing === undefined) {
        shrinkUntil = real.now() + (options.shrinkMs ?? SHRINK_MS);
        options.onFailure?.(violations);
      }
      failing = { outcome, violations };
      throw new Error(violations.join("\n"));
    });
    const { seed, runs, path } = options;
    const details = await fc.check(property, {
      seed,
      numRuns: runs,
      ...(path === undefined ? {} : { path, endOnFailure: true }),
    });
    const { coverage: counter } = testbed;
    const coverage = counter.read();
    const result = {
      seed,
      ...total,
      ms: Math.round(real.now() - started),
      coverage,
      neverExercised: neverExercised(coverage),
      refused: counter.refusedTables(),
    };
    if (!details.failed) return result;
    // No promise was broken: the simulator itself failed.
    if (failing === undefined)
      throw new Error("a schedule could not be run", { cause: details.errorInstance });
    const counterexample: Counterexample = {
      path: details.counterexamplePath ?? "",
      shrinks: details.numShrinks,
      outOfTime,
      plan: failing.outcome.world.plan,
      violations: failing.violations,
      trace: failing.outcome.trace,
    };
    return { ...result, counterexample };
  } finally {
    await testbed.close();
  }
}

interface OpenTestbed extends Testbed {
  readonly all: readonly SimulatedDatabase[];
  close(): Promise<void>;
}

async function openTestbed({
  services,
  databases,
  env,
  facts,
  logger,
}: SimulateOptions): Promise<OpenTestbed> {
  const names = [...new Set(services.filter(({ database }) => database !== undefined).map(databaseName))];
  const made = await Promise.all(
    names.map((name) => {
      const sharing = services.filter(
        (service) => service.database !== undefined && databaseName(service) === name,
      );
      return prepareDatabase(sharing, databases[sharing[0]?.name ?? ""] ?? "", logger);
    }),
  );
  const prepared = services.flatMap((definition) => {
    const database = made.flatMap((group) => group.get(definition) ?? [])[0];
    return database === undefined ? [] : [{ definition, database, env }];
  });
  const stateless = services
    .filter(({ database }) => database === undefined)
    .map((definition) => ({ definition, env }));
  const mesh = await describeMesh([...prepared, ...stateless], facts);
  const urls = new Map(prepared.map(({ database }) => [database.name, database.url]));
  const backends = await openBackends((database) => urls.get(database) ?? "");
  const all = made.flatMap((group) => [...group.values()].slice(0, 1));
  return {
    mesh,
    backends,
    coverage: createCoverage(mesh),
    all,
    async close() {
      await backends.close();
      await Promise.all(all.map((database) => database.close()));
    },
  };
}
