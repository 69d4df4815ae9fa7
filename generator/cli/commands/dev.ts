import { resolve } from "node:path";
import { ExistingDiffers, SAME_SIGNAL_MS, watchLauncher } from "@meshwright/runtime";
import { bootMesh } from "../../dev/boot.js";
import { type Endpoints, removeEndpoints, writeEndpoints } from "../../dev/endpoints.js";
import { externalFile } from "../../dev/external.js";
import { ForeignState } from "../../dev/foreign.js";
import { createLogFormat } from "../../dev/log-lines.js";
import { endChildren } from "../../dev/servers/process.js";
import { openState, type State } from "../../dev/state.js";
import type { Mesh, Service } from "../../model/mesh.js";
import { environmentOf } from "../../project/given-environment.js";
import { refuseOtherModules } from "../../project/module-type.js";
import { colour, confirm, isAtTerminal, print, printTable, tell } from "../../terminal/terminal.js";
import { reportDifferences } from "../existing-differences.js";
import type { ExitCode } from "../exit-code.js";
import { bringUpToDate } from "../generation.js";
import { compileProject } from "../project.js";
import { report } from "../report-error.js";

export interface DevOptions {
  readonly fresh?: boolean;
  readonly freePorts?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly state: string;
}

/** In ms: a service gives itself 25 s to stop, so what has not stopped by then never will. */
const STOP_MS = 45_000;
/** What was only just starting has nothing to finish. */
const CHILD_MS = 5_000;

/**
 * Everything from nothing, until Ctrl-C or SIGTERM; then all of it stops, last started first. The same where one of
 * them does not come up. Ends the process: nothing that it started outlives it.
 */
export async function dev(options: DevOptions): Promise<ExitCode> {
  const stopped = stopSignal();
  const ends = openEnds();
  let code: ExitCode = 1;
  try {
    const outcome = await Promise.race([startOrAsk(options, ends), stopped]);
    if (outcome === "up") {
      await stopped;
      code = 0;
    }
    if (outcome !== "refused") tell(colour.dim(code === 0 ? "stopping …" : "stopping before all was up …"));
  } catch (error) {
    code = report(error);
  }
  setTimeout(() => process.exit(1), STOP_MS).unref();
  await ends.all();
  await endChildren(CHILD_MS);
  process.exit(code);
}

/** On a state folder of another branch: asks a person at a terminal, and names the command to anybody else. */
async function startOrAsk(options: DevOptions, ends: Ends): Promise<"up" | "refused"> {
  const first = openEnds();
  ends.add(() => first.all());
  try {
    return await start(options, first);
  } catch (error) {
    if (!(error instanceof ForeignState) || !isAtTerminal()) throw error;
    report(error);
    if (!(await confirm("start fresh, and forget all data of earlier runs?"))) return "refused";
    await first.all();
    return await start({ ...options, fresh: true }, ends);
  }
}

/** "refused": mesh.yaml has mistakes, and that has been said. */
async function start(options: DevOptions, ends: Ends): Promise<"up" | "refused"> {
  const started = Date.now();
  const mesh = await bringUpToDate();
  if (!mesh) return "refused";
  await refuseOtherModules(process.cwd());
  readFilesOfEnvironment(mesh);
  const state = await openState(resolve(options.state), options.fresh ?? false);
  ends.add(() => state.release());
  ends.add(() => removeEndpoints(state.folder));
  const endpoints = await boot(mesh, { state, options, ends }).catch(async (error: unknown) => {
    if (!(error instanceof ExistingDiffers)) throw error;
    reportDifferences(error, await compileProject());
  });
  if (endpoints === undefined) return "refused";
  await writeEndpoints(state.folder, endpoints);
  describe(mesh, endpoints, { state, ms: Date.now() - started });
  return "up";
}

/** Secrets in files, as services and databases of the embedded kind are given values. */
function readFilesOfEnvironment(mesh: Mesh): void {
  const env = environmentOf(mesh);
  for (const name of Object.keys(process.env)) if (env[name] === undefined) delete process.env[name];
  Object.assign(process.env, env);
}

interface Run {
  readonly state: State;
  readonly options: DevOptions;
  readonly ends: Ends;
}

function boot(mesh: Mesh, { state, options, ends }: Run): Promise<Endpoints> {
  const names = mesh.services.map((service) => service.name);
  const verbosity = options.quiet ? "quiet" : options.verbose ? "verbose" : "normal";
  const format = createLogFormat(names, verbosity);
  return bootMesh({
    mesh,
    state,
    freePorts: options.freePorts ?? false,
    logging: {
      LOG_EVENTS: options.quiet ? "off" : "on",
      ...(options.verbose ? { LOG_LEVEL: "debug" } : {}),
    },
    onLine: (service, line) => {
      const shown = format(service, line);
      if (shown !== undefined) print(shown);
    },
    onNotice: (service, text) => tell(colour.yellow(`${service} ${text}`)),
    progress: (text) => tell(colour.dim(`${text} …`)),
    onStarted: ends.add,
  });
}

/** Resolves at the first Ctrl-C or SIGTERM, or when the npx that started us is gone. A second Ctrl-C ends the process at once. */
function stopSignal(): Promise<"stopped"> {
  return new Promise((resolve) => {
    let askedAt: number | undefined;
    const stop = () => {
      if (askedAt !== undefined && performance.now() - askedAt > SAME_SIGNAL_MS) process.exit(1);
      askedAt ??= performance.now();
      resolve("stopped");
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
    watchLauncher(stop);
  });
}

interface Ends {
  /** Once `all` was called, `end` is called at once. */
  add(end: () => Promise<void>): void;
  /** Ends all, last added first: services before the servers that they use. */
  all(): Promise<void>;
}

function openEnds(): Ends {
  const ends: (() => Promise<void>)[] = [];
  let ending = false;
  const run = (end: () => Promise<void>) =>
    end().catch((error: Error) => tell(colour.red(`while stopping: ${error.message}`)));
  return {
    add(end) {
      if (ending) void run(end);
      else ends.push(end);
    },
    async all() {
      ending = true;
      for (const end of ends.splice(0).toReversed()) await run(end);
    },
  };
}

function databaseCell({ database, external }: Service, { databases }: Endpoints): string {
  if (database !== undefined) return placeOf(databases[database] ?? "");
  return external ? "" : "none: hooks alone";
}

function describe(mesh: Mesh, endpoints: Endpoints, { state, ms }: { state: State; ms: number }): void {
  print("");
  const rows = mesh.services.map((service) => [
    colour.bold(service.name),
    endpoints.services[service.name]?.http ??
      colour.dim(`external: ${externalFile(state.folder, service.name)}`),
    databaseCell(service, endpoints),
  ]);
  printTable(["service", "http", "database"], rows);
  print(`\nbroker     ${placeOf(endpoints.nats)}`);
  print(`endpoints  ${state.folder}/endpoints.json ${colour.dim("with passwords and the service key")}`);
  print(colour.green(`ready in ${(ms / 1_000).toFixed(1)} s`) + colour.dim(" · Ctrl-C stops all of it\n"));
}

/** URLs without user and password: what a terminal shows may be seen and logged. */
function placeOf(urls: string): string {
  return urls.replaceAll(/\/\/[^,\s]*@/g, "//").replaceAll(/\?[^,\s]*/g, "");
}
