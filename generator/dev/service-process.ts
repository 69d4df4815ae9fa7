import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { packageFolder } from "../project/package.js";
import { endProcess, endWithUs, isRunning } from "./servers/process.js";

export interface ServiceProcessOptions {
  readonly service: string;
  /** The folder of mesh.yaml. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly onLine: (line: string) => void;
  /** The program. Default: the command line that is installed. */
  readonly main?: string;
  /** Its arguments. Default `run <service>`. */
  readonly args?: readonly string[];
}

export interface ServiceProcess {
  readonly pid: number;
  readonly running: () => boolean;
  /** Resolves to how it ended: `exit code 1`, `SIGKILL`. */
  readonly exited: Promise<string>;
  /** SIGTERM: it finishes or hands back what is in flight. SIGKILL when that takes longer than `graceMs`. */
  stop(graceMs?: number): Promise<string>;
  /** SIGKILL: a crash. */
  kill(): Promise<string>;
}

/** A service gives itself 25 s to stop cleanly. */
const GRACE_MS = 30_000;

/** Starts one generated service as `mesh run` does, with exactly this environment. It never outlives this process. */
export function startServiceProcess(options: ServiceProcessOptions): ServiceProcess {
  const { main = join(packageFolder(), "bin/mesh.js"), args = ["run", options.service] } = options;
  const child = spawn(process.execPath, [main, ...args], {
    cwd: options.folder,
    env: options.env,
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const exited = untilExit(child);
  const stopWatching = endWithUs(child, "SIGTERM");
  void exited.then(stopWatching);
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", options.onLine);
  }
  const end = async (signal: NodeJS.Signals, withinMs: number) => {
    await endProcess(child, signal, { exited, withinMs });
    return await exited;
  };
  return {
    pid: child.pid ?? 0,
    running: () => isRunning(child),
    exited,
    stop: (graceMs = GRACE_MS) => end("SIGTERM", graceMs),
    kill: () => end("SIGKILL", GRACE_MS),
  };
}

function untilExit(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    // `close` comes after the last log line was read, unlike `exit`.
    child.once("close", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
}
