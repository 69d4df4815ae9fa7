import { type ServiceProcess, startServiceProcess } from "./service-process.js";

export interface SupervisorOptions {
  readonly folder: string;
  readonly service: string;
  readonly env: NodeJS.ProcessEnv;
  readonly onLine: (line: string) => void;
  /** A crash and what is done about it. */
  readonly onNotice: (text: string) => void;
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
  const ended = keepRunning();

  async function keepRunning(): Promise<void> {
    let delayMs = FIRST_DELAY_MS;
    for (;;) {
      const started = Date.now();
      const how = await current.exited;
      if (stopping.signal.aborted) return;
      delayMs = Date.now() - started > HEALTHY_MS ? FIRST_DELAY_MS : Math.min(delayMs * 2, LONGEST_DELAY_MS);
      options.onNotice(`ended by itself (${how}); starting it again in ${delayMs / 1_000} s`);
      await pause(delayMs, stopping.signal);
      if (stopping.signal.aborted) return;
      current = startServiceProcess(options);
    }
  }

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

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
