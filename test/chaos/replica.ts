import { appendFileSync } from "node:fs";
import { type ServiceProcess, startServiceProcess } from "../../generator/dev/service-process.js";
import type { ServiceName } from "./project.js";

/** One process of a service, restarted on the same port whatever ended it. */
export interface Replica {
  /** `sfs-2` */
  readonly name: string;
  readonly service: ServiceName;
  readonly url: string;
  pid(): number;
  running(): boolean;
  start(): void;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGTERM, and how it ended. */
  stop(): Promise<string>;
  /** SIGSTOP */
  freeze(): void;
  /** SIGCONT. */
  thaw(): void;
  /** The answer of /readyz; undefined when there is none. */
  health(): Promise<Health | undefined>;
}

export interface Health {
  readonly status: "ready" | "degraded" | "unready";
  readonly reasons?: readonly string[];
}

export interface ReplicaOptions {
  readonly name: string;
  readonly service: ServiceName;
  readonly main: string;
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly logFile: string;
  /** Called when it ended without being told to. */
  readonly onCrash: (how: string) => void;
}

const HEALTH_MS = 4_000;

export function createReplica(options: ReplicaOptions): Replica {
  const { name, service, main, folder, env, logFile } = options;
  const url = `http://127.0.0.1:${env.PORT}`;
  let current: ServiceProcess | undefined;
  let wanted = false;
  const log = (line: string) => appendFileSync(logFile, `${line}\n`);
  const end = async (how: (process: ServiceProcess) => Promise<string>) => {
    wanted = false;
    const process = current;
    if (process === undefined) return "not running";
    log(`-- ${new Date().toISOString()} ending ${name}`);
    const ended = await how(process);
    log(`-- ${new Date().toISOString()} ended ${name}: ${ended}`);
    return ended;
  };
  return {
    name,
    service,
    url,
    pid: () => current?.pid ?? 0,
    running: () => current?.running() ?? false,
    start() {
      if (current?.running()) return;
      wanted = true;
      log(`-- ${new Date().toISOString()} starting ${name}`);
      const started = startServiceProcess({ service, folder, env, main, args: [], onLine: log });
      current = started;
      void started.exited.then((how) => {
        if (wanted && current === started) options.onCrash(`${name} ended by itself: ${how}`);
      });
    },
    kill: async () => void (await end((process) => process.kill())),
    stop: () => end((process) => process.stop()),
    freeze: () => signal(current, "SIGSTOP"),
    thaw: () => signal(current, "SIGCONT"),
    async health() {
      try {
        const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(HEALTH_MS) });
        return (await response.json()) as Health;
      } catch {
        return undefined;
      }
    },
  };
}

function signal(target: ServiceProcess | undefined, name: NodeJS.Signals): void {
  if (target?.running()) process.kill(target.pid, name);
}
