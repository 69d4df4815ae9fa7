import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Endpoints } from "../../generator/dev/endpoints.js";
import { endWithUs } from "../../generator/dev/servers/process.js";
import { MESH, waitFor } from "./reference-mesh.js";

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of the compiled command line to its end. */
export function mesh(folder: string, ...args: readonly string[]): Promise<Ended> {
  return meshWith(folder, {}, ...args);
}

/** The same with more environment. */
export function meshWith(folder: string, env: NodeJS.ProcessEnv, ...args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [MESH, ...args], {
    cwd: folder,
    env: { ...plainEnvironment(), ...env },
  });
  return collect(child).ended;
}

export interface RunningCommand {
  /** Standard output and error so far, in the order of arrival. */
  readonly output: () => string;
  end(signal?: NodeJS.Signals): Promise<Ended>;
}

/** Starts a command that runs until it is told to end. */
export function startCommand(folder: string, ...args: readonly string[]): RunningCommand {
  return watch(spawn(process.execPath, [MESH, ...args], { cwd: folder, env: plainEnvironment() }));
}

/** A compiled service by plain node, with this environment and no other. */
export function startCompiled(main: string, env: NodeJS.ProcessEnv): RunningCommand {
  return watch(spawn(process.execPath, [main], { cwd: tmpdir(), env }));
}

function watch(child: ChildProcess): RunningCommand {
  endWithUs(child, "SIGKILL");
  const { ended, output } = collect(child);
  return {
    output,
    end(signal = "SIGTERM") {
      child.kill(signal);
      return ended;
    },
  };
}

export interface RunningDev {
  readonly pid: number;
  readonly endpoints: Endpoints;
  readonly output: () => string;
  /** Process id of one service's child. */
  servicePid(service: string): number;
  /** All its descendants. */
  descendants(): readonly number[];
  end(signal?: NodeJS.Signals): Promise<Ended>;
}

/** `mesh dev` on free ports, ready. */
export function startDev(folder: string, state: string, ...args: readonly string[]): Promise<RunningDev> {
  return startDevWith(folder, {}, state, ...args);
}

/** The same with more environment. */
export async function startDevWith(
  folder: string,
  env: NodeJS.ProcessEnv,
  state: string,
  ...args: readonly string[]
): Promise<RunningDev> {
  const child = spawn(process.execPath, [MESH, "dev", "--free-ports", "--state", state, ...args], {
    cwd: folder,
    env: { ...plainEnvironment(), ...env },
  });
  endWithUs(child, "SIGTERM");
  const { ended, output } = collect(child);
  const file = join(state, "endpoints.json");
  const failed = ended.then(() => {
    throw new Error(`mesh dev ended:\n${output()}`);
  });
  failed.catch(() => undefined);
  const ready = waitFor(() => existsSync(file), { timeoutMs: 110_000, what: "mesh dev to be ready" });
  await Promise.race([ready, failed]).catch((error: unknown) => {
    child.kill("SIGTERM");
    throw error;
  });
  const pid = child.pid ?? 0;
  return {
    pid,
    endpoints: JSON.parse(readFileSync(file, "utf8")) as Endpoints,
    output,
    servicePid(service) {
      const found = childrenOf(pid).find((at) => commandOf(at).endsWith(`\0run\0${service}\0`));
      if (found === undefined) throw new Error(`${service} does not run`);
      return found;
    },
    descendants: () => descendantsOf(pid),
    end(signal = "SIGTERM") {
      child.kill(signal);
      return ended;
    },
  };
}

function collect(child: ChildProcess): { readonly ended: Promise<Ended>; readonly output: () => string } {
  let [stdout, stderr, output] = ["", "", ""];
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    output += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    output += text;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, stdout, stderr }));
  });
  return { ended, output: () => output };
}

/** An environment without settings of the mesh, PostgreSQL or NATS. */
function plainEnvironment(): NodeJS.ProcessEnv {
  const { PATH, HOME, XDG_CACHE_HOME, NATS_SERVER_BIN, POSTGRES_BIN, npm_execpath } = process.env;
  return { PATH, HOME, XDG_CACHE_HOME, NATS_SERVER_BIN, POSTGRES_BIN, npm_execpath };
}

export const hasProc = existsSync("/proc/self/task");

function childrenOf(pid: number): readonly number[] {
  if (!existsSync(`/proc/${pid}/task`)) return [];
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" ").filter(Boolean).map(Number),
  );
}

function descendantsOf(pid: number): readonly number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

function commandOf(pid: number): string {
  return existsSync(`/proc/${pid}/cmdline`) ? readFileSync(`/proc/${pid}/cmdline`, "utf8") : "";
}

/** Processes that still run; a zombie that nobody has reaped yet does not. */
export function alive(pids: readonly number[]): readonly number[] {
  return pids.filter((pid) => {
    if (!existsSync(`/proc/${pid}/stat`)) return false;
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  });
}

/** Connects to the broker of a running `mesh dev` as its operator. */
export function operatorUrl({ nats, nats_operator: operator }: Endpoints): string {
  const url = new URL(nats);
  url.username = operator?.user ?? "";
  url.password = operator?.pass ?? "";
  return url.href;
}
