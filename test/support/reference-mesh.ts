import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { connect, headers, type JetStreamClient, type JetStreamManager, type NatsConnection } from "nats";
import pg from "pg";
import { inject } from "vitest";
import { type ServiceProcess, startServiceProcess } from "../../generator/dev/service-process.js";
import { compile, readMesh } from "./compile.js";
import { referenceKeys } from "./keys.js";
import { startMeshBroker } from "./mesh-broker.js";
import { createRoledDatabase, migrateAs } from "./roles.js";
import { freePort, type TestNats, waitFor } from "./servers.js";

export { waitFor } from "./servers.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const MESH = fileURLToPath(new URL("../../generator/bin/mesh.js", import.meta.url));

export const SERVICES = ["auth", "sfs", "compute", "gateway"] as const;
export type ServiceName = (typeof SERVICES)[number];

/** Time-out of a call: an error that says so is better than a test that times out. */
const PATIENCE_MS = 10_000;

/** One service of the reference mesh, run as an operator would: `mesh run`, configured by its environment. */
export interface TestService {
  readonly url: string;
  readonly log: readonly string[];
  pid(): number;
  /** Starts it, with more environment if given, and waits until it is ready. */
  start(env?: NodeJS.ProcessEnv): Promise<void>;
  /** Starts it and returns at once. */
  launch(env?: NodeJS.ProcessEnv): ServiceProcess;
  /** SIGTERM. Resolves to how it ended: `exit code 0`. */
  stop(): Promise<string>;
  /** SIGKILL. */
  kill(): Promise<string>;
  /** What /readyz says: "ready", "degraded" (it serves, and something is out of reach) or "unready". */
  health(): Promise<string>;
  /** True when /readyz says "ready", not "degraded" or "unready"; rejects when nothing answers. */
  ready(): Promise<boolean>;
}

export interface TestMesh {
  readonly nats: TestNats;
  /** Broker URL of the operator, who may do everything. */
  readonly operatorUrl: string;
  readonly key: string;
  readonly services: Readonly<Record<ServiceName, TestService>>;
  /** The test's own superuser connections; the services run under the emitted roles. */
  readonly databases: Readonly<Record<ServiceName, pg.Pool>>;
  readonly urls: Readonly<Record<ServiceName, string>>;
  /** The environment of an operator's commands. */
  readonly env: NodeJS.ProcessEnv;
  /** Another process of the same service, on the same database and durables. */
  replica(service: ServiceName): Promise<TestService>;
  stop(): Promise<void>;
}

export interface MeshOptions {
  /** The services to start, default all. The databases of the others exist, too. */
  readonly start?: readonly ServiceName[];
  readonly env?: Partial<Record<ServiceName, NodeJS.ProcessEnv>>;
}

/** The reference mesh from nothing: own broker under the emitted permissions, own databases under the emitted roles, free ports. */
export async function startMesh(options: MeshOptions = {}): Promise<TestMesh> {
  if (!existsSync(MESH)) throw new Error("the CLI is not built: npm run build");
  const broker = await startMeshBroker({
    mesh: compile(readMesh("mesh.yaml")),
    permissions: readMesh("generated/nats.conf"),
  });
  const key = randomUUID();
  const made = await eachService(async (service) => {
    const database = await createRoledDatabase(inject("postgres"), service);
    await migrateAs(database.owner, service, database);
    return database;
  });
  const urls = await eachService(async (service) => made[service].admin);
  const ports = await eachService(() => freePort());
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    ...broker.environment(),
    ...referenceKeys(key),
    ...Object.fromEntries(
      SERVICES.flatMap((service) => [
        [`${service.toUpperCase()}_DB_URL`, made[service].service],
        [`${service.toUpperCase()}_DB_OWNER_URL`, made[service].owner],
        [`${service.toUpperCase()}_SERVICE_URL`, `http://127.0.0.1:${ports[service]}`],
      ]),
    ),
  };
  const environment = (service: ServiceName): NodeJS.ProcessEnv => ({
    ...env,
    ...broker.environment(service),
    PORT: String(ports[service]),
    MESH_HOOKS: fileURLToPath(new URL(`../e2e/hooks/${service}.ts`, import.meta.url)),
    ...options.env?.[service],
  });
  const replicas: TestService[] = [];
  const services = Object.fromEntries(
    SERVICES.map((service) => [service, testService(service, environment(service))]),
  ) as Record<ServiceName, TestService>;
  const pools = await eachService(
    async (service) => new pg.Pool({ connectionString: urls[service], max: 4 }),
  );
  await pools.sfs.query(
    `CREATE TABLE handled (user_id text, process int); GRANT INSERT ON handled TO "${made.sfs.roles.service}"`,
  );
  await Promise.all((options.start ?? SERVICES).map((service) => services[service].start()));
  return {
    nats: broker.nats,
    operatorUrl: broker.operatorUrl,
    key,
    services,
    databases: pools,
    urls,
    env,
    async replica(service) {
      const copy = testService(service, { ...environment(service), PORT: String(await freePort()) });
      replicas.push(copy);
      await copy.start();
      return copy;
    },
    async stop() {
      await Promise.all([...Object.values(services), ...replicas].map((service) => service.stop()));
      await Promise.all(Object.values(pools).map((pool) => pool.end()));
      await broker.remove();
    },
  };
}

async function eachService<T>(make: (service: ServiceName) => Promise<T>): Promise<Record<ServiceName, T>> {
  const made = await Promise.all(SERVICES.map(async (service) => [service, await make(service)] as const));
  return Object.fromEntries(made) as Record<ServiceName, T>;
}

function testService(service: ServiceName, environment: NodeJS.ProcessEnv): TestService {
  const url = `http://127.0.0.1:${environment.PORT}`;
  const log: string[] = [];
  let current: ServiceProcess | undefined;
  const launch = (env: NodeJS.ProcessEnv = {}) => {
    current = startServiceProcess({
      service,
      folder: ROOT,
      main: MESH,
      env: { ...environment, ...env },
      onLine: (line) => log.push(line),
    });
    return current;
  };
  const health = async () =>
    (
      (await (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(PATIENCE_MS) })).json()) as {
        readonly status: string;
      }
    ).status;
  const ready = async () => (await health()) === "ready";
  return {
    url,
    log,
    pid: () => current?.pid ?? 0,
    launch,
    health,
    ready,
    async start(env) {
      const started = launch(env);
      const ended = started.exited.then((how) => {
        throw new Error(`${service} ended instead of becoming ready (${how}):\n${log.slice(-15).join("\n")}`);
      });
      ended.catch(() => undefined);
      const timeout = { timeoutMs: 30_000, what: `${service} to become ready` };
      await Promise.race([waitFor(ready, timeout), ended]).catch((error: Error) => {
        throw new Error(`${error.message}\n${log.slice(-15).join("\n")}`);
      });
    },
    stop: () => current?.stop() ?? Promise.resolve("never started"),
    kill: () => current?.kill() ?? Promise.resolve("never started"),
  };
}

export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** One REST call with the operator's key. */
export async function call(
  mesh: TestMesh,
  service: ServiceName,
  request: string,
  body?: object,
): Promise<Answer> {
  const [method = "GET", path = "/"] = request.split(" ");
  const response = await fetch(mesh.services[service].url + path, {
    method,
    signal: AbortSignal.timeout(PATIENCE_MS),
    headers: { authorization: `Bearer ${mesh.key}`, ...(body && { "content-type": "application/json" }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text ? (JSON.parse(text) as Answer["body"]) : {} };
}

/** Registers a user over HTTP; resolves to its id. */
export async function register(mesh: TestMesh, username: string, display_name = username): Promise<string> {
  const answer = await call(mesh, "auth", "POST /api/users", { username, display_name });
  if (answer.status !== 201)
    throw new Error(`POST /api/users: ${answer.status} ${JSON.stringify(answer.body)}`);
  return String(answer.body.user_id);
}

export interface CachedUser {
  readonly user_id: string;
  readonly username: string;
  readonly display_name: string;
  readonly synced_at: Date;
}

export async function cached(
  mesh: TestMesh,
  service: "sfs" | "compute",
  id: string,
): Promise<CachedUser | undefined> {
  const found = await mesh.databases[service].query<CachedUser>(
    "SELECT * FROM user_cache WHERE user_id = $1",
    [id],
  );
  return found.rows[0];
}

/** A client with the plain `nats` package, as a service written by hand would use it. */
export interface BareClient {
  readonly connection: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  /** Everything stored so far under a filter, in order. */
  stored(stream: string, filter: string): Promise<readonly BareMessage[]>;
  /** Publishes exactly these bytes; without `id` no Nats-Msg-Id is sent, as the documented services do. */
  publish(subject: string, body: string, id?: string): Promise<void>;
  /** Resolves when a durable has nothing left to deliver or to be acked. */
  drained(stream: string, durable: string): Promise<void>;
  close(): Promise<void>;
}

export interface BareMessage {
  readonly subject: string;
  readonly text: string;
  readonly body: {
    readonly metadata: { readonly event_id: string; readonly entity_id: string; readonly version?: number };
    readonly [field: string]: unknown;
  };
  readonly id: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly seq: number;
}

export async function bareClient(url: string): Promise<BareClient> {
  const { username: user, password: pass } = new URL(url);
  const connection = await connect({ servers: new URL(url).host, ...(user && { user, pass }) });
  const js = connection.jetstream();
  const jsm = await connection.jetstreamManager();
  return {
    connection,
    js,
    jsm,
    async stored(stream, filter) {
      const consumer = await js.consumers.get(stream, { filterSubjects: filter });
      const { num_pending } = await consumer.info();
      const messages: BareMessage[] = [];
      if (num_pending === 0) return messages;
      for await (const message of await consumer.consume()) {
        const text = message.string();
        const id = message.headers?.get("Nats-Msg-Id");
        messages.push({
          subject: message.subject,
          text,
          body: JSON.parse(text) as BareMessage["body"],
          id,
          headers: Object.fromEntries(
            message.headers?.keys().map((name) => [name, message.headers?.get(name) ?? ""]) ?? [],
          ),
          seq: message.seq,
        });
        if (messages.length === num_pending) break;
      }
      return messages;
    },
    async publish(subject, body, id) {
      const options = id === undefined ? {} : { msgID: id, headers: headers() };
      await js.publish(subject, new TextEncoder().encode(body), options);
    },
    async drained(stream, durable) {
      await waitFor(
        async () => {
          const state = await jsm.consumers.info(stream, durable);
          return state.num_pending === 0 && state.num_ack_pending === 0;
        },
        { what: `durable ${durable} to have nothing left` },
      );
    },
    close: () => connection.close(),
  };
}
