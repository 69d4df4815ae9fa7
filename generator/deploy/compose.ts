import { serviceUrlVariable } from "../model/names.js";
import {
  type Broker,
  type Callee,
  type DeployedService,
  type Deployment,
  freeName,
  isPostgresOurs,
  mainOf,
  openVariables,
  STOP_SECONDS,
} from "./deployment.js";
import { secretOf } from "./secret-values.js";

/*
 * compose.yaml: servers, then the jobs ahead of the services, then the services. What is secret is in files that it names.
 */

export interface ComposePlaces {
  /** From compose.yaml to the project. */
  readonly project: string;
  /** From the project to the Dockerfile. */
  readonly dockerfile: string;
}

type Yaml = Readonly<Record<string, unknown>>;

export const POSTGRES_IMAGE = "postgres:17-bookworm";
const NATS_IMAGE = "nats:2.14-alpine";
const BROKER_PORT = 4222;
/** Of a service with all its connections, twice, as while one replaces another. */
const CONNECTIONS = 50;

/** Names the project too, and so its volumes: environments on one machine share nothing. */
const ENVIRONMENT = `\${MESH_ENV:-production}`;

/** Kept for `docker compose logs`, in files that do not grow for ever. */
const LOGS = { logging: { driver: "local", options: { "max-size": "20m", "max-file": "5" } } } as const;

/** As in Kubernetes: memory does not grow with tables and backlogs. */
const MEMORY = { mem_limit: "512m" } as const;

const CONFINED = {
  read_only: true,
  cap_drop: ["ALL"],
  security_opt: ["no-new-privileges:true"],
} as const;

export function composeDocument(deployment: Deployment, places: ComposePlaces): Yaml {
  const { services } = deployment;
  const names = namesOf(deployment);
  const servers = [...brokers(deployment, places, names), ...postgres(deployment, names)];
  return {
    name: `${deployment.name}-${ENVIRONMENT}`,
    services: Object.fromEntries([
      ...servers,
      ...jobs(deployment, places, names),
      ...services.map((service) => [service.host, serviceOf(service, deployment, { places, names })]),
      [names.operator, operatorOf(deployment, places, names)],
    ]),
    ...(servers.length === 0
      ? {}
      : { volumes: Object.fromEntries(servers.map(([name]) => [`${name}-data`, {}])) }),
  };
}

interface Names {
  readonly brokers: readonly string[];
  readonly postgres: string;
  readonly roles: string;
  readonly migrate: string;
  readonly provision: string;
  readonly operator: string;
}

export function namesOf(deployment: Deployment): Names {
  const free = (name: string) => freeName(name, deployment);
  return {
    brokers: brokerHosts(deployment),
    // The address in the list of secrets.
    postgres: free("postgres"),
    roles: free("roles"),
    migrate: free("migrate"),
    provision: free("provision"),
    operator: free("mesh"),
  };
}

function brokerHosts(deployment: Deployment): readonly string[] {
  const { servers } = deployment.broker ?? { servers: 0 };
  if (servers === 1) return [freeName("nats", deployment)];
  return Array.from({ length: servers }, (_, index) => freeName(`nats-${index + 1}`, deployment));
}

type Entry = readonly [name: string, service: Yaml];

function brokers({ broker }: Deployment, { project }: ComposePlaces, names: Names): readonly Entry[] {
  if (broker === undefined) return [];
  return names.brokers.map((name) => [
    name,
    {
      image: NATS_IMAGE,
      command: ["-c", "/etc/mesh/nats-server.conf"],
      environment: { SERVER_NAME: name },
      env_file: secretFile("server-nats"),
      volumes: [
        "./nats-server.conf:/etc/mesh/nats-server.conf:ro",
        `${project}/generated/nats.conf:/etc/mesh/nats.conf:ro`,
        `${name}-data:/data`,
      ],
      ...CONFINED,
      ...LOGS,
      restart: "unless-stopped",
      stop_grace_period: "60s",
      healthcheck: health([
        "wget",
        "-q",
        "-O",
        "/dev/null",
        "http://127.0.0.1:8222/healthz?js-server-only=true",
      ]),
    },
  ]);
}

function postgres(deployment: Deployment, names: Names): readonly Entry[] {
  if (!isPostgresOurs(deployment)) return [];
  return [
    [
      names.postgres,
      {
        image: POSTGRES_IMAGE,
        command: ["-c", `max_connections=${Math.max(100, CONNECTIONS * deployment.services.length)}`],
        env_file: secretFile("server-postgres"),
        volumes: [`${names.postgres}-data:/var/lib/postgresql/data`],
        security_opt: ["no-new-privileges:true"],
        ...LOGS,
        shm_size: "256mb",
        restart: "unless-stopped",
        stop_grace_period: "60s",
        // While it makes its first database it answers on its socket alone.
        healthcheck: health(["pg_isready", "-q", "-h", "127.0.0.1", "-U", "postgres"]),
      },
    ],
  ];
}

function jobs(deployment: Deployment, places: ComposePlaces, names: Names): readonly Entry[] {
  const { databases, broker } = deployment;
  const ownServer = isPostgresOurs(deployment);
  const roles: Yaml = {
    image: POSTGRES_IMAGE,
    command: ["sh", "/etc/mesh/roles.sh"],
    environment: { PGUSER: "postgres" },
    env_file: secretFile("job-roles"),
    volumes: [
      "./roles.sh:/etc/mesh/roles.sh:ro",
      `${places.project}/generated/roles.sql:/etc/mesh/roles.sql:ro`,
    ],
    user: "postgres",
    ...CONFINED,
    ...LOGS,
    restart: "on-failure:5",
    depends_on: { [names.postgres]: { condition: "service_healthy" } },
  };
  const migrate: Yaml = {
    ...meshCommand(deployment, places, ["migrate"]),
    env_file: secretFile("job-migrate"),
    restart: "on-failure:5",
    ...(ownServer ? { depends_on: { [names.roles]: COMPLETED } } : {}),
  };
  return [
    ...(ownServer ? [[names.roles, roles] as const] : []),
    ...(databases.length > 0 ? [[names.migrate, migrate] as const] : []),
    ...(broker === undefined
      ? []
      : [[names.provision, provisionOf(deployment, broker, { places, names })] as const]),
  ];
}

interface Setting {
  readonly places: ComposePlaces;
  readonly names: Names;
}

function provisionOf(deployment: Deployment, broker: Broker, { places, names }: Setting): Yaml {
  return {
    ...meshCommand(deployment, places, ["provision", "--replicas", String(broker.servers)]),
    environment: { NATS_URL: brokerUrl(names) },
    env_file: secretFile("job-provision"),
    // Until an external owner has made its stream it says what is missing.
    restart: broker.awaitsOwner ? "on-failure" : "on-failure:5",
    depends_on: Object.fromEntries(names.brokers.map((name) => [name, { condition: "service_healthy" }])),
  };
}

const COMPLETED = { condition: "service_completed_successfully" } as const;

function serviceOf(deployed: DeployedService, deployment: Deployment, { places, names }: Setting): Yaml {
  const { service, port, database, usesBroker } = deployed;
  const ready = `fetch("http://127.0.0.1:${port}/readyz").then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))`;
  // Services wait for streams by themselves.
  const provisioned = deployment.broker?.awaitsOwner ? { condition: "service_started" } : COMPLETED;
  const needs = {
    ...(database === undefined ? {} : { [names.migrate]: COMPLETED }),
    ...(usesBroker ? { [names.provision]: provisioned } : {}),
  };
  return {
    ...imageOf(deployment, places, "service"),
    command: [mainOf(service)],
    environment: openVariables(deployed, { broker: brokerUrl(names), urlOf: httpUrl }),
    env_file: secretFile(secretOf(deployed)),
    ...CONFINED,
    ...LOGS,
    ...MEMORY,
    tmpfs: ["/tmp"],
    init: true,
    restart: "unless-stopped",
    stop_grace_period: `${STOP_SECONDS}s`,
    healthcheck: { ...health(["node", "-e", ready]), start_period: "60s" },
    ...(Object.keys(needs).length === 0 ? {} : { depends_on: needs }),
  };
}

/** For people: docker compose run --rm mesh status */
function operatorOf(deployment: Deployment, places: ComposePlaces, names: Names): Yaml {
  const urls = deployment.services.map(({ service, host, port }) => [
    serviceUrlVariable(service.name),
    `http://${host}:${port}`,
  ]);
  return {
    ...meshCommand(deployment, places, ["status"]),
    environment: {
      ...(deployment.broker === undefined ? {} : { NATS_URL: brokerUrl(names) }),
      ...Object.fromEntries(urls),
    },
    env_file: secretFile("operator"),
    profiles: ["operator"],
  };
}

function meshCommand(deployment: Deployment, places: ComposePlaces, command: readonly string[]): Yaml {
  return {
    ...imageOf(deployment, places, "operator"),
    command,
    ...CONFINED,
    ...LOGS,
    ...MEMORY,
    tmpfs: ["/tmp"],
    init: true,
  };
}

function imageOf(
  { name }: Deployment,
  { project, dockerfile }: ComposePlaces,
  target: "service" | "operator",
): Yaml {
  const suffix = target === "service" ? "" : "-operator";
  return {
    image: `\${MESH_IMAGE:-${name}}${suffix}:\${MESH_TAG:-latest}`,
    build: { context: project, dockerfile, target },
  };
}

function brokerUrl({ brokers: hosts }: Names): string {
  return hosts.map((host) => `nats://${host}:${BROKER_PORT}`).join(",");
}

function httpUrl({ host, port }: Callee): string {
  return `http://${host}:${port}`;
}

function secretFile(name: string): string {
  return `./secrets/${ENVIRONMENT}/${name}.env`;
}

function health(test: readonly string[]): Yaml {
  return { test: ["CMD", ...test], interval: "10s", timeout: "5s", retries: 6 };
}
