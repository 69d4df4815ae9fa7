import { createHash } from "node:crypto";
import { OPERATOR } from "../emit/documents/broker-accounts.js";
import { passwordVariableOf } from "../emit/documents/nats-conf.js";
import type { EnvironmentVariable } from "../model/mesh.js";
import {
  type DeployedDatabase,
  type DeployedService,
  type Deployment,
  freeName,
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
  /** `asked`: only people know it. */
  readonly from: "made" | "asked";
}

/** What each process gets, by the name of its file. */
export type EnvFiles = Readonly<Record<string, Secrets>>;

const METRICS_KEY = "METRICS_KEY";

/** Host and port of the server that the mesh's own databases are on. */
export const POSTGRES_ADDRESS = "POSTGRES_ADDRESS";

/** As compose calls it. */
export function postgresAddress(deployment: Deployment): string {
  return `${freeName("postgres", deployment)}:5432`;
}

/** `auth_owner` → `AUTH_OWNER_PASSWORD` */
export function rolePasswordVariable(role: string): string {
  return `${role.toUpperCase().replaceAll(/[^A-Z0-9]/g, "_")}_PASSWORD`;
}

/** Each once, in the order of the list. */
export function wantedSecrets(deployment: Deployment): readonly WantedSecret[] {
  const { services, databases, broker, mesh } = deployment;
  const own = databases.filter(({ existing }) => !existing);
  const ours = new Set(services.map(({ service }) => service.name));
  const wanted: readonly WantedSecret[] = [
    ...(own.length > 0 ? [made("POSTGRES_PASSWORD", "administrator of PostgreSQL")] : []),
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
  ];
  return [...new Map(wanted.toReversed().map((secret) => [secret.name, secret])).values()].toReversed();
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
export function envFilesOf(deployment: Deployment, given: Secrets): EnvFiles {
  const secrets: Secrets = {
    ...given,
    [POSTGRES_ADDRESS]: given[POSTGRES_ADDRESS] || postgresAddress(deployment),
  };
  const { services, databases, broker } = deployment;
  const own = databases.filter(({ existing }) => !existing);
  const owners = filled(
    Object.fromEntries(databases.map((each) => [each.database.ownerUrlVariable, ownerUrl(each, secrets)])),
  );
  const operator = broker === undefined ? {} : loginOf(OPERATOR, secrets);
  return {
    ...Object.fromEntries(
      services.map((each) => [secretOf(each), filled(serviceEnv(each, deployment, secrets))]),
    ),
    "job-migrate": owners,
    "job-provision": filled(operator),
    "job-roles": filled({
      PGPASSWORD: secrets.POSTGRES_PASSWORD,
      ...pick(
        secrets,
        own.flatMap(({ database: { roles } }) => Object.values(roles).map(rolePasswordVariable)),
      ),
    }),
    operator: filled({
      ...operator,
      OPERATOR_KEY: secrets.OPERATOR_KEY,
      ...owners,
      ...Object.fromEntries(databases.map((each) => [each.database.urlVariable, serviceUrl(each, secrets)])),
    }),
    "reader-metrics": filled(pick(secrets, [METRICS_KEY])),
    "server-nats": filled(
      pick(
        secrets,
        (broker?.users ?? []).map(({ passwordVariable }) => passwordVariable),
      ),
    ),
    "server-postgres": filled(pick(secrets, ["POSTGRES_PASSWORD"])),
  };
}

/** What the service's process gets. */
export function secretOf({ host }: DeployedService): string {
  return `service-${host}`;
}

type Unfilled = Readonly<Record<string, string | undefined>>;

function serviceEnv(deployed: DeployedService, { mesh }: Deployment, secrets: Secrets): Unfilled {
  const { service, database, usesBroker } = deployed;
  const called = mesh.calls.filter(({ callee }) => callee === service.name);
  const open = openVariables(deployed, { broker: "", urlOf: () => "" });
  const given = service.environment.map(({ name }) => name).filter((name) => !(name in open));
  return {
    ...pick(secrets, given),
    ...(database === undefined ? {} : { [database.database.urlVariable]: serviceUrl(database, secrets) }),
    ...(usesBroker ? loginOf(service.name, secrets) : {}),
    OPERATOR_KEY: digested(secrets.OPERATOR_KEY),
    [METRICS_KEY]: digested(secrets[METRICS_KEY]),
    ...Object.fromEntries(called.map(({ keyVariable }) => [keyVariable, digested(secrets[keyVariable])])),
  };
}

function loginOf(user: string, secrets: Secrets): Unfilled {
  return { NATS_USER: user, NATS_PASSWORD: secrets[passwordVariableOf(user)] };
}

function ownerUrl({ database, ...rest }: DeployedDatabase, secrets: Secrets): string | undefined {
  return urlOf(
    { database, ...rest, variable: database.ownerUrlVariable, role: database.roles.owner },
    secrets,
  );
}

function serviceUrl({ database, ...rest }: DeployedDatabase, secrets: Secrets): string | undefined {
  return urlOf({ database, ...rest, variable: database.urlVariable, role: database.roles.service }, secrets);
}

interface Login extends DeployedDatabase {
  readonly variable: string;
  readonly role: string;
}

/** As the list says it, else on the mesh's own server. */
function urlOf({ variable, role, onServer, existing }: Login, secrets: Secrets): string | undefined {
  const password = secrets[rolePasswordVariable(role)];
  if (secrets[variable] || existing || !password) return secrets[variable];
  return `postgres://${role}:${encodeURIComponent(password)}@${secrets[POSTGRES_ADDRESS]}/${onServer}`;
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
