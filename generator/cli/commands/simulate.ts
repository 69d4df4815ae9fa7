import { randomInt } from "node:crypto";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceDefinition } from "@meshwright/runtime";
import {
  type Counterexample,
  describePlan,
  SERVER_SETTINGS,
  SHRINK_MS,
  type Simulation,
  simulateMesh,
} from "@meshwright/simulator";
import pg from "pg";
import { removePostgres, startPostgres } from "../../dev/servers/postgres-server.js";
import type { Mesh } from "../../model/mesh.js";
import { MESH_FILE } from "../../project/paths.js";
import { openGivenFile } from "../../project/regular-file.js";
import { UsageError } from "../../project/usage-error.js";
import { oneLine } from "../../quote/visible.js";
import { colour, print, printJson, quietLogger, tell, tellInPlace } from "../../terminal/terminal.js";
import type { ExitCode } from "../exit-code.js";
import { loadDefinition } from "../loaded-service.js";
import { compileProject, reportDiagnostics } from "../project.js";
import { findBackfilled } from "../simulate/backfilled.js";
import { drawPayloads } from "../simulate/drawn-payloads.js";
import { isRoutine } from "../simulate/routine-steps.js";
import { drawSamples } from "../simulate/samples.js";
import { findTimedEvents } from "../simulate/timed.js";
import { findUnmade } from "../simulate/unmade.js";
import { findUntold } from "../simulate/untold.js";
import { findWanted } from "../simulate/wanted.js";

export interface SimulateOptions {
  readonly seed?: string;
  readonly runs: string;
  readonly path?: string;
  readonly trace?: string;
  readonly json?: boolean;
}

/** Plays schedules on a PostgreSQL of its own; exit 1 when one breaks a promise. */
export async function simulate(options: SimulateOptions): Promise<ExitCode> {
  const seed = readNumber("--seed", options.seed) ?? randomInt(1, 0x7fff_ffff);
  const runs = readNumber("--runs", options.runs) ?? 100;
  const trace = options.trace === undefined ? undefined : await openGivenFile(options.trace);
  const mesh = await compileMeshFile();
  const services = await loadServices(mesh);
  const { samples, missing } = drawSamples(mesh);
  for (const column of missing)
    tell(
      colour.yellow(`no value was found that the payload schemas of ${column} take: such rows are refused`),
    );
  const folder = await mkdtemp(join(tmpdir(), "mesh-simulate-"));
  const server = await startPostgres({
    folder,
    settings: SERVER_SETTINGS,
    progress: (text) => tell(colour.dim(`${text} …`)),
  });
  const progress = reportProgress(runs);
  try {
    const result = await simulateMesh({
      services,
      facts: {
        samples,
        wanted: findWanted(mesh),
        timed: findTimedEvents(mesh),
        payloads: drawPayloads(mesh),
        events: publishedEvents(mesh),
        untold: findUntold(mesh),
        backfilled: findBackfilled(mesh),
        unmade: findUnmade(mesh),
      },
      databases: await createDatabases(server.url, services),
      env: process.env,
      seed,
      runs,
      ...(options.path === undefined ? {} : { path: options.path }),
      logger: quietLogger,
      onRun: progress.show,
      onFailure: ([violation]) =>
        tell(
          colour.red(
            `${violation}; making the schedule smaller, for ${SHRINK_MS / 60_000} minutes at most …`,
          ),
        ),
    });
    progress.end();
    await trace?.writeFile(traceOf(result));
    if (options.json) printJson(result);
    else describe(result, options);
    return result.counterexample === undefined ? 0 : 1;
  } finally {
    progress.end();
    await trace?.close();
    await server.stop();
    await removePostgres(folder);
  }
}

function readNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0 && number <= 0x7fff_ffff) return number;
  throw new UsageError(`${option} is ${JSON.stringify(text)}; it is a whole number from 1 to 2147483647`);
}

async function compileMeshFile(): Promise<Mesh> {
  const { mesh, diagnostics } = await compileProject();
  if (!mesh) {
    reportDiagnostics(diagnostics, false);
    throw new UsageError(`${MESH_FILE} has errors, so there is nothing to simulate`);
  }
  return mesh;
}

/** Those that rows imply. */
function publishedEvents({ events }: Mesh): readonly string[] {
  return events
    .filter(({ emit }) => emit !== undefined)
    .map(({ service, entity, action }) => `${service}.${entity}.${action}`);
}

async function loadServices(mesh: Mesh): Promise<readonly ServiceDefinition[]> {
  const own = mesh.services.filter(
    ({ external, database, consumers }) => !external && (database !== undefined || consumers.length > 0),
  );
  if (own.length === 0)
    throw new UsageError(`${MESH_FILE} has no service of its own with a database, or with subscriptions`);
  const definitions: ServiceDefinition[] = [];
  for (const service of own) definitions.push(await loadDefinition(service));
  return definitions;
}

async function createDatabases(
  url: string,
  services: readonly ServiceDefinition[],
): Promise<Readonly<Record<string, string>>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const databases: Record<string, string> = {};
  try {
    const made = new Set<string>();
    for (const { name, database } of services) {
      if (database === undefined) continue;
      const called = database.shared?.with ?? database.name;
      if (!made.has(called)) await client.query(`CREATE DATABASE ${client.escapeIdentifier(called)}`);
      made.add(called);
      const own = new URL(url);
      own.pathname = `/${encodeURIComponent(called)}`;
      databases[name] = own.href;
    }
  } finally {
    await client.end();
  }
  return databases;
}

const EVERY_MS = 1_000;

/** On a terminal a line that counts; elsewhere one now and then. */
function reportProgress(runs: number) {
  const terminal = process.stderr.isTTY;
  let shownAt = performance.now();
  let shown = false;
  return {
    show(done: { readonly runs: number; readonly steps: number }) {
      const now = performance.now();
      if (now - shownAt < (terminal ? EVERY_MS : 30 * EVERY_MS)) return;
      shownAt = now;
      const line = `${done.runs} of ${runs} schedules, ${done.steps} steps …`;
      if (!terminal) return tell(line);
      tellInPlace(line);
      shown = true;
    },
    end() {
      if (shown) tellInPlace(undefined);
      shown = false;
    },
  };
}

function describe(result: Simulation, options: SimulateOptions): void {
  const { seed, runs, steps, virtualMs, ms, faults, counterexample } = result;
  const pulled = Object.entries(faults).sort(([, a], [, b]) => b - a);
  print(
    `${runs} schedules from seed ${seed}: ${steps} steps, ${(virtualMs / 3_600_000).toFixed(1)} hours of their time in ${(ms / 1_000).toFixed(1)} s`,
  );
  if (pulled.length > 0) print(colour.dim(pulled.map(([kind, times]) => `${kind} ${times}`).join(" · ")));
  for (const [table, { refused, reason }] of Object.entries(result.refused))
    print(
      colour.yellow(`no row got into ${table}: ${refused} were refused, mostly because ${oneLine(reason)}`),
    );
  if (result.neverExercised.length > 0)
    print(colour.yellow(`never exercised:${result.neverExercised.map((what) => `\n  ${what}`).join("")}`));
  if (counterexample === undefined) print(colour.green("every promise kept"));
  else describeFailure(counterexample, { seed, full: options.trace });
}

/** So many steps before the failure are printed. */
const SHOWN_STEPS = 60;

function describeFailure(
  { path, shrinks, outOfTime, plan, violations, trace }: Counterexample,
  { seed, full }: { readonly seed: number; readonly full: string | undefined },
): void {
  const ended = outOfTime ? `, until ${SHRINK_MS / 60_000} minutes were over` : "";
  print(colour.red(`\na promise is broken (made smaller ${shrinks} times${ended}):`));
  for (const violation of violations) print(`  ${oneLine(violation)}`);
  print(`\n${describePlan(plan)}`);
  const shown = trace.filter(({ what }) => !isRoutine(what));
  print(`the last ${Math.min(SHOWN_STEPS, shown.length)} of ${trace.length} steps that are no routine:`);
  for (const line of shown.slice(-SHOWN_STEPS)) print(`  ${printLine(line)}`);
  print(`\nagain: mesh simulate --seed ${seed} --path ${path} --trace trace.txt`);
  if (full !== undefined) print(`every step is in ${full}`);
}

function printLine({ step, ms, actor, what }: Counterexample["trace"][number]): string {
  return `${String(step).padStart(5)} ${(ms / 1_000).toFixed(3).padStart(9)} s  ${actor.padEnd(11)} ${oneLine(what)}`;
}

function traceOf({ counterexample }: Simulation): string {
  if (counterexample === undefined) return "every promise kept\n";
  return [
    ...counterexample.violations,
    "",
    describePlan(counterexample.plan),
    ...counterexample.trace.map(printLine),
    "",
  ].join("\n");
}
