import { resolve } from "node:path";
import { hasExisting } from "../model/has-existing.js";
import type { Database, Mesh, Service } from "../model/mesh.js";
import { nameOnServer, passwordVariable } from "../model/names.js";
import { ownServices } from "../model/own-services.js";
import { migrateDatabase } from "../project/migrate-database.js";
import { migrateInOrder } from "../project/migrate-in-order.js";
import { type DevBroker, startBroker } from "./broker.js";
import { type DevDatabases, startDatabases } from "./databases.js";
import type { Endpoints } from "./endpoints.js";
import { writeExternal } from "./external.js";
import { requireOwnState } from "./foreign.js";
import { type DevKeys, makeKeys } from "./keys.js";
import { provision } from "./provisioning.js";
import { keepProvisioned } from "./reprovision.js";
import { freePort, preferPort } from "./servers/free-ports.js";
import { holdPorts, type ServicePorts } from "./service-ports.js";
import type { State } from "./state.js";
import { type Supervisor, superviseService } from "./supervisor.js";

export interface BootOptions {
  readonly mesh: Mesh;
  readonly state: State;
  readonly freePorts: boolean;
  /** Variables of logging that services have unless the caller's environment says otherwise. */
  readonly logging?: Readonly<Record<string, string>>;
  readonly onLine: (service: string, line: string) => void;
  readonly onNotice: (service: string, text: string) => void;
  readonly progress: (text: string) => void;
  /** Called for each part that runs, with the function that ends it. The caller ends them in reverse order. */
  readonly onStarted: (end: () => Promise<void>) => void;
}

const NATS_PORT = 4222;

/**
 * Starts broker, databases, streams and services. Resolves when every service is ready, or has logged what it waits for.
 * Rejects when a server does not start, or a service does not stay up: the caller then ends all that `onStarted` gave it.
 */
export async function bootMesh(options: BootOptions): Promise<Endpoints> {
  const { mesh, state } = options;
  const services = ownServices(mesh.services);
  const port = options.freePorts ? freePort : preferPort;
  const [broker, databases] = await Promise.all([
    startBroker({
      state,
      mesh,
      port: await port(NATS_PORT),
      progress: options.progress,
      onNotice: (text) => options.onNotice("nats-server", text),
    }).then((started) => handOver(started, options)),
    startDatabases({
      databases: mesh.databases,
      state,
      progress: options.progress,
      onNotice: (text) => options.onNotice("postgres", text),
    }).then((started) => handOver(started, options)),
  ]);
  await requireOwnState(mesh, databases, state.folder);
  await requireExisting(databases, options);
  await migrateOwned(databases, options);
  const provisioning = {
    login: broker.login,
    replicas: 1,
    standIn: true,
    onNotice: options.onNotice,
  };
  await provision(mesh, provisioning);
  options.onStarted(await keepProvisioned(mesh, provisioning));
  const ports = await holdPorts(mesh.services, options.freePorts);
  options.onStarted(ports.releaseAll);
  const keys = makeKeys(mesh.calls, { operatorKey: state.operatorKey, external: externalNames(mesh) });
  const environment = serviceEnvironment({ ports, broker, databases, keys, options });
  for (const service of mesh.services.filter((one) => one.external)) {
    const { name } = service;
    const variables = { NATS_URL: broker.url, ...broker.environment(name), ...keys.of(name) };
    const port = isExpected(name, mesh) ? { PORT: String(ports.of(name)) } : {};
    options.onStarted(await writeExternal(state.folder, service, { ...variables, ...port }));
  }
  const running: Supervisor[] = [];
  options.onStarted(async () => {
    await Promise.all(running.map((service) => service.stop()));
  });
  // Sources of snapshots first: a service whose source is not there yet logs a warning.
  for (const wave of startOrder(services, mesh)) {
    await Promise.all(
      wave.map(async (service) => {
        await ports.release(service.name);
        const { supervisor, broken } = startService(service, environment(service), options);
        running.push(supervisor);
        const ready = untilReady(ports.address(service.name), copiesFromExternal(service, mesh));
        const trouble = await Promise.race([ready, broken]);
        if (trouble !== undefined) options.onNotice(service.name, `is not ready yet: ${trouble}`);
      }),
    );
  }
  return {
    nats: broker.url,
    nats_operator: broker.operator && { user: broker.operator.user, pass: broker.operator.password },
    databases: databases.owner,
    services: Object.fromEntries(
      services.map((service) => [service.name, { http: ports.address(service.name) }]),
    ),
    service_key: state.operatorKey,
  };
}

/** Whether the service's role owns its database, as it may where the environment has the URL: the service then migrates by itself. */
function isOwned({ owner, service }: DevDatabases, database: string): boolean {
  return owner[database] !== service[database];
}

/** Ahead of services that migrate by themselves: a difference is told at its place in mesh.yaml, and not by one that starts three times. */
async function requireExisting(databases: DevDatabases, { mesh }: BootOptions): Promise<void> {
  const adopted = mesh.databases.filter(
    (database) => !isOwned(databases, database.name) && hasExisting(database),
  );
  for (const database of adopted) {
    const url = databases.service[database.name] ?? "";
    await migrateDatabase(database, { url, variable: database.urlVariable }, true);
  }
}

async function migrateOwned(databases: DevDatabases, { mesh }: BootOptions): Promise<void> {
  const owned = mesh.databases.filter(({ name }) => isOwned(databases, name));
  const migrateOne = (database: Database) =>
    migrateDatabase(database, {
      url: databases.owner[database.name] ?? "",
      variable: database.ownerUrlVariable,
    });
  const hosts = [...new Set(owned.map(nameOnServer))];
  await Promise.all(
    hosts.map((host) => {
      const sharing = owned.filter((database) => nameOnServer(database) === host);
      return migrateInOrder(mesh, sharing, migrateOne);
    }),
  );
}

function handOver<T extends { stop(): Promise<void> }>(started: T, options: BootOptions): T {
  options.onStarted(() => started.stop());
  return started;
}

/** Services in waves, each after those that it reads snapshots from. Those that read from each other are the last wave. */
function startOrder(services: readonly Service[], mesh: Mesh): readonly (readonly Service[])[] {
  const waves: (readonly Service[])[] = [];
  let left = services;
  while (left.length > 0) {
    const waiting = new Set(left.map(({ name }) => name));
    const free = left.filter((service) => !sourcesOf(service, mesh).some((source) => waiting.has(source)));
    const wave = free.length > 0 ? free : left;
    waves.push(wave);
    left = left.filter((service) => !wave.includes(service));
  }
  return waves;
}

/** The services from which this one reads snapshots, with a cache or without. */
function sourcesOf({ name }: Service, { calls }: Mesh): readonly string[] {
  return calls
    .filter(({ caller, reasons }) => caller === name && reasons.some((reason) => reason !== "declared"))
    .map(({ callee }) => callee);
}

/** Whether another service calls this one, at the port that was chosen here. */
function isExpected(service: string, { calls }: Mesh): boolean {
  return calls.some(({ callee, urlVariable }) => callee === service && !process.env[urlVariable]);
}

function copiesFromExternal(service: Service, mesh: Mesh): boolean {
  const external = externalNames(mesh);
  return sourcesOf(service, mesh).some((source) => external.has(source));
}

function externalNames(mesh: Mesh): ReadonlySet<string> {
  return new Set(mesh.services.filter((one) => one.external).map(({ name }) => name));
}

interface EnvironmentParts {
  readonly ports: ServicePorts;
  readonly broker: DevBroker;
  readonly databases: DevDatabases;
  readonly keys: DevKeys;
  readonly options: BootOptions;
}

/** The whole environment of a service: what `mesh dev` decides, and of the rest (`KUBECONFIG`, `LOG_LEVEL`) the caller's. */
function serviceEnvironment(parts: EnvironmentParts): (service: Service) => NodeJS.ProcessEnv {
  const { ports, broker, databases, keys, options } = parts;
  const external = externalNames(options.mesh);
  const sourceUrl = (service: string, variable: string) =>
    (external.has(service) ? process.env[variable] : undefined) || ports.address(service);
  const called = Object.fromEntries(
    options.mesh.calls.map(({ callee, urlVariable }) => [urlVariable, sourceUrl(callee, urlVariable)]),
  );
  const variables = new Map(options.mesh.databases.map(({ name, urlVariable }) => [name, urlVariable]));
  const secret = new Set([
    ...options.mesh.databases
      .flatMap(({ urlVariable, ownerUrlVariable }) => [urlVariable, ownerUrlVariable])
      .flatMap((url) => [url, passwordVariable(url)]),
    ...keys.variables,
    ...broker.withheld,
  ]);
  const inherited = Object.entries(process.env).filter(([name]) => !secret.has(name));
  return (service) => ({
    ...options.logging,
    ...Object.fromEntries(inherited),
    ...called,
    ...broker.environment(service.name),
    NATS_URL: broker.url,
    ...(service.database && { [variables.get(service.database) ?? ""]: databases.service[service.database] }),
    ...(service.database && isOwned(databases, service.database) && { MIGRATE: "off" }),
    ...keys.of(service.name),
    HOST: "127.0.0.1",
    PORT: String(ports.of(service.name)),
  });
}

/** How the runtime exits on a ConfigurationError: starting it again cannot help. */
const CONFIGURATION_ERROR = "exit code 2";
const TRIES = 3;

interface Starting {
  readonly supervisor: Supervisor;
  /** Rejects when the service cannot start. A rejection that nobody awaits is ignored. */
  readonly broken: Promise<never>;
}

function startService(service: Service, env: NodeJS.ProcessEnv, options: BootOptions): Starting {
  const { name } = service;
  let refuse: (error: Error) => void = () => {};
  const broken = new Promise<never>((_, reject) => {
    refuse = reject;
  });
  broken.catch(() => undefined);
  let ends = 0;
  const supervisor = superviseService({
    folder: resolve("."),
    service: name,
    env,
    onLine: (line) => options.onLine(name, line),
    onNotice: (text) => options.onNotice(name, text),
    onExit: (how) => {
      ends += 1;
      if (how === CONFIGURATION_ERROR)
        refuse(new Error(`service "${name}" cannot start: its log above says why`));
      if (ends === TRIES) {
        refuse(
          new Error(
            `service "${name}" ended ${ends} times (${how}) before it was ready: its log above says why`,
          ),
        );
      }
    },
  });
  return { supervisor, broken };
}

/** A service that is not ready after this is reported, and the next ones are started. */
const READY_TIMEOUT_MS = 30_000;
/** A service that copies from an external one counts as started once it has been degraded for this long. */
const DEGRADED_MS = 2_000;

interface Readiness {
  readonly status?: string;
  readonly reasons?: readonly string[];
}

/** Resolves to the reason why the service is not ready after the time-out; to undefined when it is ready. */
async function untilReady(url: string, mayBeDegraded: boolean): Promise<string | undefined> {
  let health: Readiness | undefined;
  let degradedSince: number | undefined;
  for (const started = Date.now(); Date.now() - started < READY_TIMEOUT_MS; ) {
    health = await fetch(`${url}/readyz`)
      .then((answer) => answer.json() as Promise<Readiness>)
      .catch(() => undefined);
    // "degraded" is what a service says that still waits for its snapshot's source or the broker.
    if (health?.status === "ready") return undefined;
    if (mayBeDegraded && health?.status === "degraded") {
      degradedSince ??= Date.now();
      if (Date.now() - degradedSince > DEGRADED_MS) break;
    }
    await new Promise((wake) => setTimeout(wake, 50));
  }
  return health?.reasons?.join("; ") ?? "see its log";
}
