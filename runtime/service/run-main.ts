import { realpathSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { inspect } from "node:util";
import { ConfigurationError } from "../configuration-error.js";
import type { Logger } from "../definition/hook-definition.js";
import type { ServiceFactory } from "../definition/service-definition.js";
import { visible } from "../text/visible.js";
import { HooksError, loadService } from "./hooks.js";
import { SAME_SIGNAL_MS, watchLauncher } from "./launcher.js";
import { PortTaken } from "./listen.js";
import { flushLog } from "./logger.js";
import { migrateMain } from "./migrate-main.js";
import { type RunningService, startService } from "./start.js";

/** Exit codes of a service: refused or crashed, and "this can never work as it is set up". */
const FAILED = 1;
const USAGE = 2;

/** Less than the usual 30 s after which an orchestrator kills a process, and nothing is logged. */
const STOP_MS = 25_000;

/**
 * Runs a service as a process: loads hooks, reads the environment, handles signals, sets the exit code. With the argument
 * `migrate` it migrates the database and ends. SIGTERM and SIGINT stop the service cleanly (exit code 0), a second one at
 * once; so does the end of the npx that started it. Resolves once the service listens.
 */
export async function runMain<Hooks extends object>(
  factory: ServiceFactory<Hooks>,
  mainUrl: string,
): Promise<void> {
  const command = commandOf(mainUrl);
  if (command !== undefined) return await runCommand(command, factory);
  const service = await startFrom(factory, mainUrl).catch(refuse);
  watchForCrashes(service.logger);
  stopOnSignals(service);
  stopWithLauncher(service);
  service.ready.catch((error: unknown) =>
    exitAfter(service, error instanceof ConfigurationError ? USAGE : FAILED),
  );
}

/** What stands behind the name of main where it is the program of this process; under `mesh run` it is not. */
function commandOf(mainUrl: string): string | undefined {
  const [, program, command] = process.argv;
  const isProgram = program !== undefined && realpathSync(program) === fileURLToPath(mainUrl);
  return isProgram ? command : undefined;
}

/** Migrating needs no hooks. */
async function runCommand(command: string, factory: ServiceFactory<never>): Promise<void> {
  if (command !== "migrate") {
    process.stderr.write(
      visible(`unknown command "${command}": there is "migrate", and without one the service runs\n`),
    );
    process.exit(USAGE);
  }
  process.exit(await migrateMain(factory({} as never), process.env).catch(refuse));
}

async function startFrom<Hooks extends object>(
  factory: ServiceFactory<Hooks>,
  mainUrl: string,
): Promise<RunningService> {
  const { env } = process;
  return await startService(await loadService(factory, mainUrl, env.MESH_HOOKS || undefined), env);
}

/** Before the service has a logger, errors are plain text for a person. */
function refuse(error: unknown): never {
  if (error instanceof PortTaken) {
    process.stderr.write(`${error.message}\n`);
    process.exit(FAILED);
  }
  const setUp = error instanceof ConfigurationError || error instanceof HooksError;
  process.stderr.write(visible(`${setUp ? explain(error) : inspect(error)}\n`));
  process.exit(setUp ? USAGE : FAILED);
}

function explain(error: Error): string {
  return error.cause === undefined ? error.message : `${error.message}\n${inspect(error.cause)}`;
}

/** Ends the process, whose state is unknown now. A new one finds everything in its database and broker. */
function watchForCrashes(logger: Logger): void {
  const crash = (error: unknown, what: string) => {
    logger.error({ error }, what);
    endProcess(FAILED);
  };
  process.on("unhandledRejection", (error) => crash(error, "unhandled rejection"));
  process.on("uncaughtException", (error) => crash(error, "uncaught exception"));
}

/** Stops the service when the npm or npx that started it is gone: nobody would send it a signal any more. */
function stopWithLauncher(service: RunningService): void {
  watchLauncher(() => {
    service.logger.warn({}, "the process that started this one is gone: stopping");
    exitAfter(service, 0);
  });
}

function stopOnSignals(service: RunningService): void {
  let askedAt: number | undefined;
  const onSignal = (signal: NodeJS.Signals) => {
    if (askedAt !== undefined) {
      if (performance.now() - askedAt > SAME_SIGNAL_MS) process.exit(FAILED);
      return;
    }
    askedAt = performance.now();
    service.logger.info({ signal }, "signal received; a second one stops at once");
    exitAfter(service, 0);
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

function exitAfter(service: RunningService, code: number): void {
  setTimeout(() => {
    service.logger.error({ ms: STOP_MS }, "stopping took too long");
    endProcess(FAILED);
  }, STOP_MS).unref();
  service.stop().then(
    () => endProcess(code),
    (error: unknown) => {
      service.logger.error({ error }, "stopping failed");
      endProcess(FAILED);
    },
  );
}

/** Ends the process once the log is written, or after its time. */
function endProcess(code: number): void {
  void flushLog().then(() => process.exit(code));
}
