import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import pg from "pg";
import { parse } from "yaml";
import { findNatsServer } from "../../generator/dev/servers/nats-binary.js";
import { endWithUs, type ServerProcess, startServer } from "../../generator/dev/servers/process.js";
import type { ComposeFile, ComposeService } from "./deployed.js";
import type { Stage } from "./dockerfile-stages.js";
import { freePort, startPostgres, type TestPostgres, waitFor } from "./servers.js";

/*
 * compose.yaml without Docker: each container is a process of this machine with the command, environment, secrets, user and order that
 * the file says. What changes are addresses, since all of them are on 127.0.0.1, and where files are.
 */

export interface ComposeOptions {
  /** Of compose.yaml. */
  readonly folder: string;
  /** By the `target` of `build`. */
  readonly stages: Readonly<Record<string, Stage>>;
  /** For data, logs and configuration. */
  readonly scratch: string;
}

export interface ComposeRun {
  /** Names in the order in which they were started. */
  readonly order: readonly string[];
  /** Where a service answers. */
  url(service: string): string;
  env(service: string): Readonly<Record<string, string>>;
  output(service: string): string;
  /** Runs the container's own health check. */
  isHealthy(service: string): boolean;
  /** Of the superuser, in a database. */
  adminUrl(database: string): string;
  /** SIGTERM to each container, in turn; resolves to the exit codes of the services. */
  down(): Promise<Readonly<Record<string, number | null>>>;
}

interface Container {
  readonly service: ComposeService & { readonly build?: { readonly target: string }; readonly user?: string };
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<number | null>;
}

export async function composeUp({ folder, stages, scratch }: ComposeOptions): Promise<ComposeRun> {
  const file: ComposeFile = parse(readFileSync(join(folder, "compose.yaml"), "utf8"));
  const ports = new Map<string, number>();
  for (const name of Object.keys(file.services)) ports.set(name, await freePort());
  const here = (text: string) =>
    [...ports].reduce(
      (changed, [name, port]) =>
        changed.replaceAll(new RegExp(`(?<=//|@)${name}:\\d+`, "g"), `127.0.0.1:${port}`),
      text,
    );
  const envOf = (service: ComposeService, name: string): Record<string, string> => {
    const secrets = (service.env_file ?? "").replace(/\$\{MESH_ENV:-(\w+)\}/, "$1");
    const given = { ...readEnvFile(join(folder, secrets)), ...service.environment };
    const changed = Object.fromEntries(
      Object.entries(given).map(([key, value]) => [key, here(String(value))]),
    );
    return { ...changed, ...("HOST" in given ? { PORT: String(ports.get(name)) } : {}) };
  };

  let postgres: TestPostgres | undefined;
  let nats: ServerProcess | undefined;
  const containers = new Map<string, Container>();
  const order: string[] = [];

  const startServerOf = async (name: string, service: ComposeService) => {
    if (service.image.startsWith("postgres")) {
      postgres = await startPostgres();
      ports.set(name, Number(new URL(postgres.url).port));
      await setSuperuserPassword(postgres.url, envOf(service, name).POSTGRES_PASSWORD ?? "");
      return;
    }
    const data = join(scratch, name);
    mkdirSync(data, { recursive: true });
    copyFileSync(mounted(service, folder, "nats.conf"), join(data, "nats.conf"));
    const text = readFileSync(mounted(service, folder, "nats-server.conf"), "utf8")
      .replace("0.0.0.0:4222", `127.0.0.1:${ports.get(name)}`)
      .replace("http: 127.0.0.1:8222", "")
      .replace('"/data"', JSON.stringify(data));
    writeFileSync(join(data, "nats-server.conf"), text);
    nats = await startServer({
      name,
      command: await findNatsServer(),
      args: ["-c", join(data, "nats-server.conf")],
      env: envOf(service, name),
      stopSignal: "SIGTERM",
      ready: (line) => line.includes("Server is ready"),
      logFile: join(data, "log"),
    });
  };

  const startProcess = (name: string, service: Container["service"]) => {
    const stage = stages[service.build?.target ?? ""];
    const env = { PATH: process.env.PATH, ...stage?.env, ...envOf(service, name) };
    const [program = "", ...args] = [...(stage?.entrypoint ?? []), ...(service.command ?? [])];
    const isRoles = stage === undefined;
    const child = spawn(program, isRoles ? [rolesFolder(service, folder, scratch)] : args, {
      cwd: isRoles ? scratch : join(stage.folder, "app"),
      env: isRoles ? { ...env, PGHOST: "127.0.0.1", PGPORT: String(ports.get("postgres")) } : env,
      ...(stage?.user === undefined || process.getuid?.() !== 0 || stages.service !== stage
        ? {}
        : { uid: 1000, gid: 1000 }),
    });
    endWithUs(child, "SIGKILL");
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (text) => (output += text));
    const ended = new Promise<number | null>((done) => child.once("close", done));
    containers.set(name, { service, child, output: () => output, ended });
  };

  const isHealthy = (name: string) => {
    const { test = [] } = file.services[name]?.healthcheck ?? {};
    const [, program = "", ...args] = test;
    const port = ports.get(name);
    const command = args.map((arg) => arg.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${port}`));
    return spawnSync(program, command, { timeout: 20_000 }).status === 0;
  };

  const waiting = Object.entries(file.services).filter(([, { profiles }]) => profiles === undefined);
  while (waiting.length > 0) {
    const next = waiting.findIndex(([, { depends_on: needs = {} }]) =>
      Object.keys(needs).every((name) => order.includes(name)),
    );
    const [[name, service] = ["", undefined]] = waiting.splice(next, 1);
    if (service === undefined) throw new Error("compose.yaml waits for itself");
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      const container = containers.get(other);
      if (condition !== "service_completed_successfully" || container === undefined) continue;
      const code = await container.ended;
      if (code !== 0) throw new Error(`${other} ended with ${code}:\n${container.output()}`);
    }
    if (/^(postgres|nats):/.test(service.image) && service.command?.[0] !== "sh")
      await startServerOf(name, service);
    else startProcess(name, service);
    order.push(name);
  }

  return {
    order,
    url: (name) => `http://127.0.0.1:${ports.get(name)}`,
    env: (name) => {
      const service = file.services[name];
      if (service === undefined) throw new Error(`there is no ${name}`);
      return envOf(service, name);
    },
    output: (name) => containers.get(name)?.output() ?? "",
    isHealthy,
    adminUrl(database) {
      const url = new URL(postgres?.url ?? "");
      url.pathname = `/${database}`;
      url.password = envOf(file.services.postgres as ComposeService, "postgres").POSTGRES_PASSWORD ?? "";
      return url.href;
    },
    async down() {
      const codes: Record<string, number | null> = {};
      for (const name of order.toReversed()) {
        const container = containers.get(name);
        if (container === undefined) continue;
        container.child.kill("SIGTERM");
        codes[name] = await container.ended;
      }
      await Promise.all([nats?.stop(), postgres?.remove()]);
      return codes;
    },
  };
}

/** As Docker reads it. */
function readEnvFile(path: string): Record<string, string> {
  const entries = readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line.includes("="))
    .map((line) => {
      const [, name = "", value = ""] = /^([^=]+)=(.*)$/.exec(line) ?? [];
      return [name, /^'(.*)'$/.exec(value)?.[1]?.replaceAll("\\'", "'") ?? value] as const;
    });
  return Object.fromEntries(entries);
}

/** The file of this machine that the container has under a name. */
function mounted({ volumes = [] }: ComposeService, folder: string, name: string): string {
  const [from] =
    volumes.map((volume) => volume.split(":")).find(([, to]) => to === `/etc/mesh/${name}`) ?? [];
  if (from === undefined) throw new Error(`nothing is mounted as ${name}`);
  return resolve(folder, from);
}

/** roles.sh beside roles.sql, as they are mounted. */
function rolesFolder(service: ComposeService, folder: string, scratch: string): string {
  const files = ["roles.sh", "roles.sql"].map((name) => {
    const path = join(scratch, name);
    copyFileSync(mounted(service, folder, name), path);
    return path;
  });
  return files[0] ?? "";
}

async function setSuperuserPassword(url: string, password: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`ALTER ROLE postgres PASSWORD ${client.escapeLiteral(password)}`);
  } finally {
    await client.end();
  }
}

/** With a reason in the message where it is not. */
export async function waitUntilReady(run: ComposeRun, services: readonly string[]): Promise<void> {
  for (const name of services)
    await waitFor(async () => (await fetch(`${run.url(name)}/readyz`)).status === 200, {
      timeoutMs: 60_000,
      what: `${name} to be ready`,
    }).catch((error: Error) => {
      throw new Error(`${error.message}\n${run.output(name)}`);
    });
}
