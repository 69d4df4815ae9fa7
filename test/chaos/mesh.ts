import { createHash, randomUUID } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { provision } from "../../generator/dev/provisioning.js";
import { keepProvisioned } from "../../generator/dev/reprovision.js";
import type { Mesh } from "../../generator/model/mesh.js";
import { digestText } from "../../runtime/values/access-keys.js";
import { OPERATOR, passwordOf } from "../support/mesh-broker.js";
import { freePort, waitFor } from "../support/servers.js";
import { startTcpProxy, type TcpProxy } from "../support/tcp-proxy.js";
import { type ChaosBroker, startBroker } from "./broker.js";
import { type Databases, startDatabases } from "./databases.js";
import { makeProject, type Project, SERVICES, type ServiceName } from "./project.js";
import { createReplica, type Replica } from "./replica.js";

/** Processes of each service. Two of auth, so that the relay that everybody listens to changes hands. */
const REPLICAS: Readonly<Record<ServiceName, number>> = { auth: 2, sfs: 2, compute: 2, gateway: 1 };

/** The proxied connection between a process and a server: `sfs-1 ↔ broker`. */
export interface Link {
  readonly name: string;
  readonly proxies: readonly TcpProxy[];
}

/** The running mesh, and everything that faults act on. */
export interface ChaosMesh {
  readonly folder: string;
  readonly project: Project;
  readonly broker: ChaosBroker;
  readonly databases: Databases;
  readonly replicas: readonly Replica[];
  readonly links: readonly Link[];
  readonly key: string;
  readonly streamReplicas: number;
  /** The hook writes namespaces here. */
  readonly clusterLog: string;
  /** While this exists the hook fails. */
  readonly clusterDown: string;
  /** Processes that ended by themselves since the last call. */
  takeCrashes(): readonly string[];
  of(service: ServiceName): readonly Replica[];
  stop(): Promise<void>;
  /** Deletes logs and data. */
  remove(): Promise<void>;
}

export interface ChaosMeshOptions {
  readonly cluster: boolean;
  /** Ack wait: what a killed process had in flight is redelivered after this time. */
  readonly ackWaitSeconds?: number;
}

export async function startChaosMesh(options: ChaosMeshOptions): Promise<ChaosMesh> {
  const folder = await mkdtemp(join(tmpdir(), "mesh-chaos-"));
  // PostgreSQL runs under another uid where we are root, and has to get through.
  await chmod(folder, 0o755);
  const streamReplicas = options.cluster ? 3 : 1;
  const project = await makeProject({
    folder: join(folder, "project"),
    replicas: streamReplicas,
    ackWaitSeconds: options.ackWaitSeconds ?? 5,
  });
  const databases = await startDatabases(join(project.folder, "generated"));
  const broker = await startBroker(folder, options.cluster ? 3 : 1, project.permissions);
  const stopProvisioning = await provisionChaos(project.permissions.mesh, broker, streamReplicas);
  await mkdir(join(folder, "logs"));
  await databases.pools.sfs.query(`CREATE TABLE effects (
    event_id text, user_id text, version bigint, action text, origin text, process integer,
    at timestamptz NOT NULL DEFAULT clock_timestamp());
    GRANT INSERT ON effects TO sfs_db_service`);
  const crashes: string[] = [];
  const setup: Setup = {
    folder,
    project,
    broker,
    databases,
    key: randomUUID(),
    clusterLog: join(folder, "cluster.log"),
    clusterDown: join(folder, "cluster.down"),
    onCrash: (what) => crashes.push(what),
  };
  const { replicas, links } = await buildReplicas(setup);
  for (const replica of replicas) replica.start();
  await waitFor(async () => (await Promise.all(replicas.map((one) => one.health()))).every(isReady), {
    timeoutMs: 120_000,
    everyMs: 200,
    what: "all services to be ready",
  });
  await databases.keepHistory();
  return {
    ...setup,
    replicas,
    links,
    streamReplicas,
    takeCrashes: () => crashes.splice(0),
    of: (service) => replicas.filter((replica) => replica.service === service),
    async stop() {
      for (const replica of replicas) replica.thaw();
      await Promise.all(replicas.map((replica) => replica.stop()));
      await Promise.all(links.flatMap((link) => link.proxies.map((proxy) => proxy.close())));
      await stopProvisioning();
      await broker.stop();
      await databases.stop();
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Creates streams and durables, and recreates those that a fault deletes, as the operator: services may not. */
async function provisionChaos(
  mesh: Mesh,
  broker: ChaosBroker,
  replicas: number,
): Promise<() => Promise<void>> {
  const url = broker.nodes.map((node) => node.server.url).join(",");
  const login = { url, user: OPERATOR, password: passwordOf(OPERATOR) };
  const provisioning = { login, replicas, standIn: false, onNotice: () => {} };
  await waitFor(() => provision(mesh, provisioning).then(() => true), {
    timeoutMs: 60_000,
    what: "streams and durables to be made",
  });
  return keepProvisioned(mesh, provisioning);
}

function isReady(health: { readonly status: string } | undefined): boolean {
  return health?.status === "ready";
}

interface Setup
  extends Pick<
    ChaosMesh,
    "folder" | "project" | "broker" | "databases" | "key" | "clusterLog" | "clusterDown"
  > {
  readonly onCrash: (what: string) => void;
}

async function buildReplicas(setup: Setup) {
  const ports = new Map<string, number>();
  const names = SERVICES.flatMap((service) =>
    Array.from({ length: REPLICAS[service] }, (_, place) => ({ service, name: `${service}-${place + 1}` })),
  );
  for (const { name } of names) ports.set(name, await freePort());
  const links: Link[] = [];
  const replicas: Replica[] = [];
  for (const { service, name } of names) {
    const built = await buildReplica(setup, { service, name, ports });
    replicas.push(built.replica);
    links.push(...built.links);
  }
  return { replicas, links };
}

interface Build {
  readonly service: ServiceName;
  readonly name: string;
  readonly ports: ReadonlyMap<string, number>;
}

/** By service: where its snapshots come from. */
const SOURCES: Partial<Record<ServiceName, ServiceName>> = {
  sfs: "auth",
  compute: "auth",
  gateway: "compute",
};

/** The keys of a service: one for each pair of services that call each other. */
function keysOf(service: ServiceName, seed: string): Record<string, string> {
  const pairs = Object.entries(SOURCES).filter((pair) => pair.includes(service));
  return Object.fromEntries(
    pairs.map(([caller, callee]) => {
      const pair = `${caller}_TO_${callee}`.toUpperCase();
      return [`${pair}_KEY`, createHash("sha256").update(`${seed} ${pair}`).digest("hex")];
    }),
  );
}

async function buildReplica(setup: Setup, { service, name, ports }: Build) {
  const { folder, project, broker, databases, key, clusterLog, clusterDown } = setup;
  const link = async (to: string, targets: readonly number[]): Promise<Link> => {
    const proxies = targets.map((port) => startTcpProxy({ host: "127.0.0.1", port }));
    return { name: `${name} ↔ ${to}`, proxies: await Promise.all(proxies) };
  };
  const portsOf = (one: Link) => one.proxies.map((proxy) => proxy.port);
  const toBroker = await link(
    "broker",
    broker.nodes.map((node) => node.port),
  );
  const toDatabase = await link("database", [databases.port]);
  const source = SOURCES[service];
  const toSource = source === undefined ? undefined : await link(source, [ports.get(`${source}-1`) ?? 0]);
  const replica = createReplica({
    name,
    service,
    main: project.main(service),
    folder: project.folder,
    logFile: join(folder, "logs", `${name}.log`),
    onCrash: setup.onCrash,
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      NATS_URL: portsOf(toBroker)
        .map((port) => `nats://127.0.0.1:${port}`)
        .join(","),
      NATS_USER: service,
      NATS_PASSWORD: passwordOf(service),
      [`${service.toUpperCase()}_DB_URL`]: databases.url(service, portsOf(toDatabase)[0] ?? 0),
      ...(toSource === undefined
        ? {}
        : { [`${source?.toUpperCase()}_SERVICE_URL`]: `http://127.0.0.1:${portsOf(toSource)[0]}` }),
      OPERATOR_KEY: digestText(key),
      ...keysOf(service, key),
      PORT: String(ports.get(name)),
      MESH_HOOKS: project.hooks(service),
      CLUSTER_LOG: clusterLog,
      CLUSTER_DOWN: clusterDown,
    },
  });
  const links = toSource === undefined ? [toBroker, toDatabase] : [toBroker, toDatabase, toSource];
  return { replica, links };
}
