import { execFile, spawn } from "node:child_process";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MESH = join(ROOT, "generator/bin/mesh.js");

/** `.mesh/endpoints.json` as `mesh dev` writes it: all that a client needs. */
export interface Endpoints {
  readonly nats: string;
  readonly databases: Readonly<Record<string, string>>;
  readonly services: Readonly<Record<string, { readonly http: string }>>;
  readonly service_key: string;
}

export interface RunningMesh {
  readonly endpoints: Endpoints;
  readonly log: readonly string[];
  /** Rows of a query in one of the databases. */
  rows<T extends object = Readonly<Record<string, unknown>>>(
    database: string,
    sql: string,
    ...values: unknown[]
  ): Promise<T[]>;
  /** A REST call with the operator's key; rejects unless it answers with `status`. */
  call(service: string, request: string, body?: object): Promise<Readonly<Record<string, unknown>>>;
  stop(): Promise<void>;
}

/** Resolves when `mesh generate --check` finds the committed output up to date; rejects with what it names. */
export async function checkGenerated(): Promise<void> {
  const command = promisify(execFile)(process.execPath, [MESH, "generate", "--check"], { cwd: ROOT });
  await command.catch(({ stdout, stderr }: { readonly stdout: string; readonly stderr: string }) => {
    throw new Error(`${stdout}${stderr}`);
  });
}

/** `mesh dev` in a process of its own: free ports, a state folder that did not exist and will not remain. */
export async function bootMesh(): Promise<RunningMesh> {
  const state = await mkdtemp(join(tmpdir(), "mesh-demo-"));
  // As root, PostgreSQL runs under another uid, which must be able to enter the folder.
  await chmod(state, 0o755);
  const args = [MESH, "dev", "--fresh", "--free-ports", "--state", state];
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: cleanEnvironment(),
  });
  const log: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => log.push(...text.trimEnd().split("\n")));
  }
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    await rm(state, { recursive: true, force: true });
  };
  process.once("exit", () => child.kill("SIGTERM"));
  try {
    const endpoints = await untilBooted(join(state, "endpoints.json"), ended);
    return openMesh(endpoints, log, stop);
  } catch (error) {
    await stop();
    throw new Error(`mesh dev did not come up:\n${log.slice(-30).join("\n")}`, { cause: error });
  }
}

/** An environment without the shell's settings: the demo starts its own servers. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const ours = /^(NATS_URL|OPERATOR_KEY|\w+_TO_\w+_KEY|MESH_HOOKS|.*_DB(_OWNER)?_URL|DATABASE_URL)$/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
}

async function untilBooted(file: string, ended: Promise<void>): Promise<Endpoints> {
  let running = true;
  void ended.then(() => {
    running = false;
  });
  for (let waited = 0; running && waited < 90_000; waited += 25) {
    const text = await readFile(file, "utf8").catch(() => "");
    if (text.endsWith("}\n")) return JSON.parse(text) as Endpoints;
    await new Promise((wake) => setTimeout(wake, 25));
  }
  throw new Error(running ? "not ready after 90 s" : "it ended");
}

function openMesh(endpoints: Endpoints, log: readonly string[], stopMesh: () => Promise<void>): RunningMesh {
  const pools = new Map(
    Object.entries(endpoints.databases).map(([name, url]) => [
      name,
      new pg.Pool({ connectionString: url, max: 2 }),
    ]),
  );
  return {
    endpoints,
    log,
    async rows<T extends object>(database: string, sql: string, ...values: unknown[]) {
      const found = await pools.get(database)?.query<T>(sql, values);
      return found?.rows ?? [];
    },
    async call(service, request, body) {
      const [method = "GET", path = "/"] = request.split(" ");
      const response = await fetch(`${endpoints.services[service]?.http}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${endpoints.service_key}`,
          ...(body && { "content-type": "application/json" }),
        },
        ...(body && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${service} ${request}: ${response.status} ${text}`);
      return text ? (JSON.parse(text) as Record<string, unknown>) : {};
    },
    async stop() {
      await Promise.all([...pools.values()].map((pool) => pool.end()));
      await stopMesh();
    },
  };
}
