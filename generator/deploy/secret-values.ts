import { createHash } from "node:crypto";
import { OPERATOR } from "../emit/documents/broker-accounts.js";
import { passwordVariableOf } from "../emit/documents/nats-conf.js";
import type { EnvironmentVariable } from "../model/mesh.js";
import type { DeployTarget } from "./deploy-targets.js";
import {
  type DeployedDatabase,
  type DeployedService,
  type Deployment,
  freeName,
  isPostgresOurs,
  openVariables,
} from "./deployment.js";

/*
 * Each environment has one list of secrets, which its operators keep. What each process gets follows from it: who changes a line
 * of the list and deploys again has rotated a secret, and no two files can disagree.
 */

export type Secrets = Readonly<Record<string, string>>;

export interface WantedSecret {
  readonly name: string;
  /** What it is, for the person who reads the list. */
  readonly description: string;
  /** `asked`: only people know it. `offered`: nothing needs it, and its line is switched off until somebody does. */
  readonly from: "made" | "asked" | "offered";
  /** What holds where nobody says it. */
  readonly default?: string | undefined;
}

/** What each process gets, by the name of its file. */
export type EnvFiles = Readonly<Record<string, Secrets>>;

const METRICS_KEY = "METRICS_KEY";

/**
 * `host:port` of the server that the mesh's own databases are on, and what else URLs say of it: `host:port?sslmode=verify-full`. Compose has one of
 * its own, a cluster has to be told.
 */
export const POSTGRES_ADDRESS = "POSTGRES_ADDRESS";

/** undefined: nobody has said where it is. */
function postgresAddress(
  deployment: Deployment,
  secrets: Secrets,
  target: DeployTarget,
): PostgresAddress | undefined {
  const given =
    secrets[POSTGRES_ADDRESS] || (target === "compose" ? `${freeName("postgres", deployment)}:5432` : "");
  const [, host, port = "5432", query = ""] = /^([^:?]+|\[[^\]]+\])(?::(\d+))?(\?.*)?$/.exec(given) ?? [];
  return host === undefined ? undefined : { host, port, query };
}

interface PostgresAddress {
  readonly host: string;
  readonly port: string;
  /** `?sslmode=verify-full`, or nothing. */
  readonly query: string;
}

/** The port that the policies of a cluster let through, unless its overlay says another. */
export function portOfPostgres(deployment: Deployment, secrets: Secrets): string | undefined {
  return isPostgresOurs(deployment) ? postgresAddress(deployment, secrets, "kubernetes")?.port : undefined;
}

/** `auth_owner` → `AUTH_OWNER_PASSWORD` */
export function rolePasswordVariable(role: string): string {
  return `${role.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}_PASSWORD`;
}

/** Each once, in the order of the list. */
export function wantedSecrets(deployment: Deployment, target: DeployTarget): readonly WantedSecret[] {
  const { services, databases, broker, mesh } = deployment;
  const own = databases.filter(({ existing }) => !existing);
  const ours = new Set(services.map(({ service }) => service.name));
  const wanted: readonly WantedSecret[] = [
    ...(own.length > 0 ? serverOf(target) : []),
    ...own.flatMap(({ database: { roles, name } }) => [
      made(rolePasswordVariable(roles.owner), `role that owns ${name}`),
      made(rolePasswordVariable(roles.service), `role that the service of ${name} runs as`),
    ]),
    ...databases
      .filter(({ existing }) => existing)
      .flatMap(({ database: { name, ownerUrlVariable, urlVariable } }) => [
        asked(ownerUrlVariable, `URL of ${name}, which exists, as the owner of its tables`),
        asked(urlVariable, `URL of ${name} as the role that roles.sql makes for the service`),
      ]),
    ...(broker?.users ?? []).map(({ name, passwordVariable }) =>
      made(passwordVariable, `broker user ${name}`),
    ),
    made("OPERATOR_KEY", "opens everything of every service, to operators"),
    made(METRICS_KEY, "opens /metrics, to Prometheus"),
    ...mesh.calls.map(({ keyVariable, caller, callee }) =>
      ours.has(callee)
        ? made(keyVariable, `${caller} shows it to ${callee}`)
        : asked(keyVariable, `${callee}, which is external, knows ${caller} by it`),
    ),
    ...services.flatMap((service) =>
      askedOf(service).map(({ name, description }) =>
        asked(name, description || `read by ${service.service.name}`),
      ),
    ),
    ...services.flatMap(offeredTo),
  ];
  return [...new Map(wanted.toReversed().map((secret) => [secret.name, secret])).values()].toReversed();
}

const SERVER =
  "where PostgreSQL is that the mesh's own databases are on, host:port?sslmode=verify-full; a line like AUTH_DB_URL= says one elsewhere";

/** A cluster's administrator of PostgreSQL is there before the mesh, and only the component `roles` asks who it is. */
function serverOf(target: DeployTarget): readonly WantedSecret[] {
  switch (target) {
    case "compose":
      return [
        {
          name: POSTGRES_ADDRESS,
          description: `${SERVER}. Without it: that of compose.yaml`,
          from: "offered",
        },
        made("POSTGRES_PASSWORD", "administrator of PostgreSQL"),
      ];
    case "kubernetes":
      return [
        asked(POSTGRES_ADDRESS, SERVER),
        {
          name: "POSTGRES_PASSWORD",
          description: "administrator of that server, postgres, for the component roles",
          from: "offered",
        },
      ];
    default:
      return target satisfies never;
  }
}

/** What its hooks read, and can do without as far as mesh.yaml says. */
function offeredTo({ service, hookVariables }: DeployedService): readonly WantedSecret[] {
  const declared = service.environment
    .filter(({ builtIn, required, default: value }) => !builtIn && !(required && value === undefined))
    .map(({ name, description, default: value }) => ({
      name,
      description: `hooks of ${service.name} read it. ${description}`,
      from: "offered" as const,
      default: value,
    }));
  const undeclared = hookVariables.map((name) => ({
    name,
    description: `hooks of ${service.name} read it, and mesh.yaml does not name it`,
    from: "offered" as const,
  }));
  return [...declared, ...undeclared];
}

function made(name: string, description: string): WantedSecret {
  return { name, description, from: "made" };
}

function asked(name: string, description: string): WantedSecret {
  return { name, description, from: "asked" };
}

/** Required, and neither derived here nor said openly. */
function askedOf({ service, ...rest }: DeployedService): readonly EnvironmentVariable[] {
  const open = openVariables({ service, ...rest }, { broker: "", urlOf: () => "" });
  const derived = [/_KEY$/, /^NATS_/, /^(PORT|HOST)$/];
  return service.environment.filter(
    ({ name, required, default: value, builtIn }) =>
      required &&
      value === undefined &&
      !(name in open) &&
      name !== rest.database?.database.urlVariable &&
      !(builtIn && derived.some((pattern) => pattern.test(name))),
  );
}

/** Throws nothing: what is missing is left out, and the service that misses it says so when it starts. */
export function envFilesOf(deployment: Deployment, secrets: Secrets, target: DeployTarget): EnvFiles {
  const server = postgresAddress(deployment, secrets, target);
  const { services, databases, broker } = deployment;
  const own = databases.filter(({ existing }) => !existing);
  const owners = filled(
    Object.fromEntries(
      databases.map((each) => [each.database.ownerUrlVariable, ownerUrl(each, { secrets, server })]),
    ),
  );
  const operator = broker === undefined ? {} : loginOf(OPERATOR, secrets);
  return {
    ...Object.fromEntries(
      services.map((each) => [secretOf(each), filled(serviceEnv(each, deployment, { secrets, server }))]),
    ),
    ...(databases.length === 0 ? {} : { "job-migrate": owners }),
    ...(broker === undefined ? {} : { "job-provision": filled(operator) }),
    ...(own.length === 0
      ? {}
      : {
          "job-roles": filled({
            ...libpqOf(server),
            PGPASSWORD: secrets.POSTGRES_PASSWORD,
            ...pick(
              secrets,
              own.flatMap(({ database: { roles } }) => Object.values(roles).map(rolePasswordVariable)),
            ),
          }),
        }),
    operator: filled({
      ...operator,
      OPERATOR_KEY: secrets.OPERATOR_KEY,
      ...owners,
      ...Object.fromEntries(
        databases.map((each) => [each.database.urlVariable, serviceUrl(each, { secrets, server })]),
      ),
    }),
    // Who shows a key shows the first of those that open.
    "reader-metrics": filled({ [METRICS_KEY]: secrets[METRICS_KEY]?.split(",")[0]?.trim() }),
    ...(broker === undefined
      ? {}
      : {
          "server-nats": filled(
            pick(
              secrets,
              broker.users.map(({ passwordVariable }) => passwordVariable),
            ),
          ),
        }),
    // A cluster's PostgreSQL has its administrator's password from elsewhere.
    ...(target === "compose" && own.length > 0
      ? { "server-postgres": filled(pick(secrets, ["POSTGRES_PASSWORD"])) }
      : {}),
  };
}

/** In the words of libpq's environment: `sslmode=require` is PGSSLMODE there. */
function libpqOf(server: PostgresAddress | undefined): Secrets {
  if (server === undefined) return {};
  const parameters = [...new URLSearchParams(server.query)];
  return {
    PGHOST: server.host,
    PGPORT: server.port,
    ...Object.fromEntries(parameters.map(([name, value]) => [`PG${name.toUpperCase()}`, value])),
  };
}

/** What the service's process gets. */
export function secretOf({ host }: DeployedService): string {
  return `service-${host}`;
}

type Unfilled = Readonly<Record<string, string | undefined>>;

interface Given {
  readonly secrets: Secrets;
  readonly server: PostgresAddress | undefined;
}

function serviceEnv(deployed: DeployedService, { mesh }: Deployment, given: Given): Unfilled {
  const { service, database, usesBroker, hookVariables } = deployed;
  const { secrets } = given;
  const called = mesh.calls.filter(({ callee }) => callee === service.name);
  const open = openVariables(deployed, { broker: "", urlOf: () => "" });
  const known = service.environment.map(({ name }) => name).filter((name) => !(name in open));
  return {
    ...pick(secrets, [...known, ...hookVariables]),
    ...(database === undefined ? {} : { [database.database.urlVariable]: serviceUrl(database, given) }),
    ...(usesBroker ? loginOf(service.name, secrets) : {}),
    OPERATOR_KEY: digested(secrets.OPERATOR_KEY),
    [METRICS_KEY]: digested(secrets[METRICS_KEY]),
    ...Object.fromEntries(called.map(({ keyVariable }) => [keyVariable, digested(secrets[keyVariable])])),
  };
}

function loginOf(user: string, secrets: Secrets): Unfilled {
  return { NATS_USER: user, NATS_PASSWORD: secrets[passwordVariableOf(user)] };
}

function ownerUrl({ database, ...rest }: DeployedDatabase, given: Given): string | undefined {
  return urlOf({ database, ...rest, variable: database.ownerUrlVariable, role: database.roles.owner }, given);
}

function serviceUrl({ database, ...rest }: DeployedDatabase, given: Given): string | undefined {
  return urlOf({ database, ...rest, variable: database.urlVariable, role: database.roles.service }, given);
}

interface Login extends DeployedDatabase {
  readonly variable: string;
  readonly role: string;
}

/** As the list says it, else on the mesh's own server. */
function urlOf(
  { variable, role, onServer, existing }: Login,
  { secrets, server }: Given,
): string | undefined {
  const password = secrets[rolePasswordVariable(role)];
  if (secrets[variable] || existing || !password || server === undefined) return secrets[variable];
  const { host, port, query } = server;
  return `postgres://${role}:${encodeURIComponent(password)}@${host}:${port}/${onServer}${query}`;
}

/** By a digest a service knows a key that it has no need to show. */
function digested(keys: string | undefined): string | undefined {
  return keys
    ?.split(",")
    .map((key) => key.trim())
    .map((key) =>
      // METRICS_KEY=open is no key.
      key === "open" || key.startsWith("sha256:")
        ? key
        : `sha256:${createHash("sha256").update(key).digest("hex")}`,
    )
    .join(",");
}

function pick(secrets: Secrets, names: readonly string[]): Unfilled {
  return Object.fromEntries(names.map((name) => [name, secrets[name]]));
}

function filled(values: Unfilled): Secrets {
  const entries = Object.entries(values).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return Object.fromEntries(entries);
}
