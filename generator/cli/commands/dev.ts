import { resolve } from "node:path";
import type { Mesh } from "../../model/mesh.js";
import { bootMesh } from "../dev/boot.js";
import { type Endpoints, removeEndpoints, writeEndpoints } from "../dev/endpoints.js";
import { externalFile } from "../dev/external.js";
import { createLogFormat } from "../dev/log-lines.js";
import { openState, type State } from "../dev/state.js";
import type { ExitCode } from "../exit.js";
import { bringUpToDate } from "../generation.js";
import { colour, print, printTable, tell } from "../terminal.js";

export interface DevOptions {
  readonly fresh?: boolean;
  readonly freePorts?: boolean;
  readonly state: string;
}

/** Everything from nothing, until Ctrl-C or SIGTERM; then all of it stops, last started first. */
export async function dev(options: DevOptions): Promise<ExitCode> {
  const stop = stopSignal();
  const started = Date.now();
  const mesh = await bringUpToDate();
  if (!mesh) return 1;
  const state = await openState(resolve(options.state), options.fresh ?? false);
  const ends: (() => Promise<void>)[] = [() => state.release(), () => removeEndpoints(state.folder)];
  try {
    const endpoints = await Promise.race([boot(mesh, { state, options, ends }), stop]);
    if (endpoints) {
      await writeEndpoints(state.folder, endpoints);
      describe(mesh, endpoints, { state, ms: Date.now() - started });
      await stop;
    }
    tell(colour.dim("stopping …"));
  } finally {
    await endAll(ends);
  }
  // What a boot that was interrupted still starts is ended with this process.
  process.exit(0);
}

interface Run {
  readonly state: State;
  readonly options: DevOptions;
  readonly ends: (() => Promise<void>)[];
}

function boot(mesh: Mesh, { state, options, ends }: Run): Promise<Endpoints> {
  const names = mesh.services.map((service) => service.name);
  const format = createLogFormat(names);
  return bootMesh({
    mesh,
    state,
    freePorts: options.freePorts ?? false,
    onLine: (service, line) => print(format(service, line)),
    onNotice: (service, text) => tell(colour.yellow(`${service} ${text}`)),
    progress: (text) => tell(colour.dim(`${text} …`)),
    onStarted: (end) => ends.push(end),
  });
}

/** Resolves at the first Ctrl-C or SIGTERM; the second one does not wait for anybody. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const stop = () => {
      if (asked) process.exit(1);
      asked = true;
      resolve();
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  });
}

/** In reverse, so that services go before what they stand on. */
async function endAll(ends: readonly (() => Promise<void>)[]): Promise<void> {
  for (const end of ends.toReversed()) {
    await end().catch((error: Error) => tell(colour.red(`while stopping: ${error.message}`)));
  }
}

function describe(mesh: Mesh, endpoints: Endpoints, { state, ms }: { state: State; ms: number }): void {
  print("");
  const rows = mesh.services.map((service) => [
    colour.bold(service.name),
    endpoints.services[service.name]?.http ??
      colour.dim(`external: ${externalFile(state.folder, service.name)}`),
    service.database ? (endpoints.databases[service.database] ?? "") : "",
  ]);
  printTable(["service", "http", "database"], rows);
  print(`\nbroker       ${endpoints.nats}`);
  print(`service key  ${endpoints.service_key}  ${colour.dim("(Authorization: Bearer …)")}`);
  print(`endpoints    ${state.folder}/endpoints.json`);
  print(colour.green(`ready in ${(ms / 1_000).toFixed(1)} s`) + colour.dim(" · Ctrl-C stops all of it\n"));
}
