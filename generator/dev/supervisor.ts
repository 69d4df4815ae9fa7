import { setTimeout as sleep } from "node:timers/promises";
import { type ServiceProcess, startServiceProcess } from "./service-process.js";

export interface SupervisorOptions {
  readonly folder: string;
  readonly service: string;
  readonly env: NodeJS.ProcessEnv;
  readonly onLine: (line: string) => void;
  /** Called with a line for people at each crash, and when the process is back. */
  readonly onNotice: (text: string) => void;
  /** It ended by itself: `exit code 1`, `SIGKILL`. */
  readonly onExit: (how: string) => void;
}

export interface Supervisor {
  readonly service: string;
  pid(): number;
  /** Starts, and starts again on a crash, until this is called. */
  stop(): Promise<void>;
}

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 15_000;
/** Up for this long, a service counts as healthy and its next crash as the first. */
const HEALTHY_MS = 30_000;

/** Keeps one service running: a crashed one is started again, slower each time it fails to stay up. */
export function superviseService(options: SupervisorOptions): Supervisor {
  const stopping = new AbortController();
  let current: ServiceProcess = startServiceProcess(options);
  const ended = keepRunning({
    exited: async () => {
      const how = await current.exited;
      if (!stopping.signal.aborted) options.onExit(how);
      return how;
    },
    start: async () => {
      current = startServiceProcess(options);
    },
    onNotice: options.onNotice,
    signal: stopping.signal,
  });
  return {
    service: options.service,
    pid: () => current.pid,
    async stop() {
      stopping.abort();
      await current.stop();
      await ended;
    },
  };
}

export interface ServerSupervisorOptions {
  /** Running, and restarted on the port and the data that it has. */
  readonly server: {
    readonly exited: Promise<string>;
    restart(): Promise<void>;
    stop(): Promise<void>;
  };
  /** Called with a line for people at each crash, and when the process is back. */
  readonly onNotice: (text: string) => void;
}

/** Keeps a server running until it is stopped by what this returns: the services wait for it meanwhile. */
export function superviseServer({ server, onNotice }: ServerSupervisorOptions): () => Promise<void> {
  const stopping = new AbortController();
  const ended = keepRunning({
    exited: () => server.exited,
    start: async () => {
      await server.restart();
      if (!stopping.signal.aborted) onNotice("runs again");
    },
    onNotice,
    signal: stopping.signal,
  });
  return async () => {
    stopping.abort();
    await server.stop();
    await ended;
    // A restart that was under way when `stop` was called.
    await server.stop();
  };
}

interface Kept {
  /** Resolves to how the running process ended. */
  readonly exited: () => Promise<string>;
  /** Rejects when it does not come up; it is tried again. */
  readonly start: () => Promise<void>;
  readonly onNotice: (text: string) => void;
  readonly signal: AbortSignal;
}

async function keepRunning({ exited, start, onNotice, signal }: Kept): Promise<void> {
  let delayMs = FIRST_DELAY_MS;
  let failure: string | undefined;
  for (;;) {
    const started = Date.now();
    const what = failure ?? `ended by itself (${await exited()})`;
    if (signal.aborted) return;
    const healthy = failure === undefined && Date.now() - started > HEALTHY_MS;
    delayMs = healthy ? FIRST_DELAY_MS : Math.min(delayMs * 2, LONGEST_DELAY_MS);
    onNotice(`${what}; starting it again in ${delayMs / 1_000} s`);
    await sleep(delayMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
    failure = await start().then(
      () => undefined,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    // Stopped meanwhile: `stop` ends what came up, so its end is not waited for here.
    if (signal.aborted) return;
  }
}
