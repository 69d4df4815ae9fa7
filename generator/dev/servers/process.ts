import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { Socket } from "node:net";
import { createInterface } from "node:readline";

export interface ServerOptions {
  /** For messages: `nats-server`. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  /** The signal that ends it cleanly and fast. */
  readonly stopSignal: NodeJS.Signals;
  /** True for the line of its log that says it takes connections. */
  readonly ready: (line: string) => boolean;
  /** Its whole log goes here. */
  readonly logFile?: string | undefined;
}

export interface ServerProcess {
  readonly pid: number;
  readonly running: () => boolean;
  /** Resolves when the process is gone, whoever ended it, to how it ended: `SIGKILL`, `exit code 1`. */
  readonly exited: Promise<string>;
  /** Ends it cleanly; after ten seconds by force. */
  stop(): Promise<void>;
  /** SIGKILL: a crash. */
  kill(): Promise<void>;
}

/** A server on 127.0.0.1 that can be started again. `pid` and `exited` are of the process that runs now. */
export interface RunningServer extends ServerProcess {
  readonly url: string;
  /** On the same port and data, after `stop` or `kill` or instead of them. */
  restart(): Promise<void>;
}

/** `launch`: starts it again, once it has ended. */
export function restartable(
  url: string,
  started: ServerProcess,
  launch: () => Promise<ServerProcess>,
): RunningServer {
  let server = started;
  return {
    url,
    get pid() {
      return server.pid;
    },
    running: () => server.running(),
    get exited() {
      return server.exited;
    },
    stop: () => server.stop(),
    kill: () => server.kill(),
    async restart() {
      await server.stop();
      server = await launch();
    },
  };
}

/** The server said why it does not start; `output` is the end of its log. */
export class ServerFailed extends Error {
  override readonly name = "ServerFailed";
  constructor(
    server: string,
    readonly output: string,
  ) {
    super(`${server} did not start:\n${output || "(it printed nothing)"}`);
  }
}

const READY_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 10_000;

/** Starts a server and resolves once it takes connections. It never outlives this process, however that ends. */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  const child = spawn(options.command, options.args, {
    cwd: options.cwd,
    env: options.env ?? process.env,
    stdio: ["ignore", "pipe", "pipe"],
    // Its own process group: Ctrl-C at the terminal must reach us first, so that services stop before servers.
    detached: true,
    ...options.user,
  });
  const exited = new Promise<string>((resolve) => {
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
    child.once("error", (error) => resolve(error.message));
  });
  const stopWatching = endWithUs(child, options.stopSignal);
  void exited.then(stopWatching);
  await untilReady(child, options);
  return {
    pid: child.pid ?? 0,
    running: () => isRunning(child),
    exited,
    stop: () => endProcess(child, options.stopSignal, { exited, withinMs: STOP_TIMEOUT_MS }),
    kill: () => endProcess(child, "SIGKILL", { exited, withinMs: STOP_TIMEOUT_MS }),
  };
}

function untilReady(child: ChildProcess, options: ServerOptions): Promise<void> {
  const tail: string[] = [];
  const log = options.logFile ? createWriteStream(options.logFile, { flags: "a" }) : undefined;
  // A full disk costs the log, not the mesh.
  log?.on("error", () => undefined);
  return new Promise((resolve, reject) => {
    const fail = (reason?: string) => {
      clearTimeout(timer);
      child.kill("SIGKILL");
      reject(new ServerFailed(options.name, [...tail, ...(reason ? [reason] : [])].join("\n")));
    };
    const timer = setTimeout(() => fail(`not ready after ${READY_TIMEOUT_MS / 1_000} s`), READY_TIMEOUT_MS);
    const read = (line: string) => {
      log?.write(`${line}\n`);
      tail.push(line);
      if (tail.length > 20) tail.shift();
      if (!options.ready(line)) return;
      clearTimeout(timer);
      resolve();
    };
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on("line", read);
    }
    child.once("error", (error) => fail(error.message));
    // `close`, not `exit`: the last lines, which tell the reason, are read by then.
    child.once("close", () => {
      log?.end();
      fail();
    });
  });
}

export function isRunning({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

/** Sends the signal, and SIGKILL after `withinMs`. `exited`: resolves when the process is gone. */
export async function endProcess(
  child: ChildProcess,
  signal: NodeJS.Signals,
  { exited, withinMs }: { readonly exited: Promise<unknown>; readonly withinMs: number },
): Promise<void> {
  if (!isRunning(child)) return;
  child.kill(signal);
  const force = setTimeout(() => child.kill("SIGKILL"), withinMs);
  await exited;
  clearTimeout(force);
}

/** Shell: waits until this process's end of the pipe closes, then sends the signal, and SIGKILL after eight seconds. */
const WATCHER = [
  `trap "" INT TERM HUP; read -r _`,
  `kill -s "$1" "$0" || exit 0`,
  `for _ in 1 2 3 4 5 6 7 8; do sleep 1; kill -s 0 "$0" || exit 0; done`,
  `kill -s KILL "$0"`,
].join("; ");

/** Those that still run, with the signal that ends each. */
const children = new Map<ChildProcess, NodeJS.Signals>();

/**
 * Ends the child when we end, also by SIGKILL, when no handler of ours runs: a shell of a few hundred
 * kilobytes holds the far end of a pipe, and reads its end of file the moment the system closes ours.
 */
export function endWithUs(child: ChildProcess, signal: NodeJS.Signals): () => void {
  const atExit = () => {
    child.kill(signal);
  };
  process.once("exit", atExit);
  children.set(child, signal);
  const watcher = process.platform === "win32" || !child.pid ? undefined : startWatcher(child.pid, signal);
  return () => {
    process.off("exit", atExit);
    children.delete(child);
    watcher?.kill("SIGKILL");
  };
}

/** Ends all children that still run, those that are starting too, and waits for them. SIGKILL after `withinMs`. */
export async function endChildren(withinMs: number): Promise<void> {
  await Promise.all(
    [...children].map(([child, signal]) =>
      endProcess(child, signal, { exited: once(child, "exit"), withinMs }),
    ),
  );
}

export interface ProgramOptions {
  readonly cwd?: string;
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  /** It is ended by force after this long. */
  readonly timeoutMs: number;
}

/** Runs a program to its end, and resolves to what it printed; it never outlives this process. */
export async function runProgram(
  command: string,
  args: readonly string[],
  { cwd, user, timeoutMs }: ProgramOptions,
): Promise<string> {
  // Its own process group: Ctrl-C reaches this process alone, which decides when the child ends.
  const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"], detached: true, ...user });
  const forget = endWithUs(child, "SIGTERM");
  const printed = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (text: string) => {
      printed[name] += text;
    });
  }
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill("SIGKILL");
  }, timeoutMs);
  try {
    const [code, signal] = (await once(child, "close")) as [number | null, NodeJS.Signals | null];
    if (code === 0) return printed.stdout;
    const how = timedOut
      ? `did not end within ${timeoutMs / 1_000} s`
      : `ended with ${signal ?? `exit code ${code}`}`;
    const said = (printed.stderr.trim() || printed.stdout.trim()).split("\n").slice(-20).join("\n");
    throw new Error(`${command} ${how}${said ? `:\n${said}` : ""}`);
  } finally {
    clearTimeout(timer);
    forget();
  }
}

function startWatcher(pid: number, signal: NodeJS.Signals): ChildProcess {
  const watcher = spawn("/bin/sh", ["-c", WATCHER, String(pid), signal.slice(3)], {
    stdio: ["pipe", "ignore", "ignore"],
    // Its own process group: Ctrl-C must not end it before it is needed.
    detached: true,
    cwd: "/",
  });
  watcher.on("error", () => process.emitWarning("no /bin/sh: servers outlive a SIGKILL of this process"));
  // The pipe alone must not keep this process alive.
  watcher.unref();
  if (watcher.stdin instanceof Socket) watcher.stdin.unref();
  return watcher;
}
