import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeFolder } from "../../project/make-folder.js";
import { freePort } from "./free-ports.js";
import { findNatsServer } from "./nats-binary.js";
import { type RunningServer, restartable, ServerFailed, type ServerProcess, startServer } from "./process.js";

export interface NatsOptions {
  /** Streams, configuration and log live here. */
  readonly folder: string;
  readonly port?: number | undefined;
  /** How long stored messages may lie in memory before they are flushed to disk, as nats-server names it. Default: its own, two minutes. */
  readonly syncInterval?: string;
  /** More configuration: accounts, limits, a cluster. */
  readonly configuration?: string;
  /** Goes into the URL: a client without credentials of its own is this user. */
  readonly env?: NodeJS.ProcessEnv;
  readonly progress?: (text: string) => void;
}

/** A broker with JetStream on 127.0.0.1. */
export async function startNats(options: NatsOptions): Promise<RunningServer> {
  const binary = await findNatsServer(options.progress);
  let port = options.port ?? (await freePort());
  let server: ServerProcess;
  try {
    server = await launch(binary, options, port);
  } catch (error) {
    if (!(error instanceof ServerFailed) || !/address already in use/.test(error.output)) throw error;
    port = await freePort();
    server = await launch(binary, options, port);
  }
  return restartable(`nats://127.0.0.1:${port}`, server, () => launch(binary, options, port));
}

async function launch(binary: string, options: NatsOptions, port: number): Promise<ServerProcess> {
  makeFolder(options.folder);
  const file = join(options.folder, "nats-server.conf");
  await writeFile(file, configure(options, port), { mode: 0o600 });
  return startServer({
    name: "nats-server",
    command: binary,
    args: ["-c", file],
    env: { ...process.env, ...options.env },
    stopSignal: "SIGTERM",
    ready: (line) => line.includes("Server is ready"),
    logFile: join(options.folder, "nats-server.log"),
  });
}

function configure(options: NatsOptions, port: number): string {
  const { folder, syncInterval } = options;
  const sync = syncInterval === undefined ? "" : `, sync_interval: ${syncInterval}`;
  return [
    "host: 127.0.0.1",
    `port: ${port}`,
    `server_name: mesh_${port}`,
    `jetstream { store_dir: ${JSON.stringify(folder)}${sync} }`,
    options.configuration ?? "",
  ].join("\n");
}
