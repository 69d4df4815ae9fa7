import type { BrokerLogin } from "../broker/login.js";
import { ConfigurationError } from "../configuration-error.js";
import type { EnvironmentDefinition, ServiceDefinition } from "../definition/service-definition.js";
import type { KnownKeys } from "../http/authenticate.js";
import { calledServices } from "./called-services.js";
import {
  brokerLogin,
  checkBroker,
  checkDatabase,
  databaseUrl,
  passwordVariable,
  readCredentials,
} from "./credentials.js";
import { needsBroker, runtimeVariables } from "./runtime-variables.js";
import type { Environment } from "./secret-files.js";
import { OPERATOR_KEY, readKeys } from "./service-keys.js";
import { checkServiceUrl, warnOfSslMode } from "./urls.js";

export interface ServiceConfig {
  /** Absent for a service without one. */
  readonly database?: DatabaseConfig;
  /** Absent for a service that neither publishes nor subscribes. */
  readonly broker?: BrokerConfig;
  readonly keys: KnownKeys;
  readonly host: string;
  readonly port: number;
  readonly logLevel: string;
  /** A line for each event that is published or applied. */
  readonly logsEvents: boolean;
  /** False (`MIGRATE=off`): somebody else migrates, and this service waits until that is done. */
  readonly migrate: boolean;
  /** The process's environment, with the defaults of the runtime and of mesh.yaml, and of two keys only the one to send. */
  readonly env: Environment;
  /** Logged at the start. */
  readonly warnings: readonly string[];
}

export interface DatabaseConfig {
  /** With the password that stands beside it. */
  readonly url: string;
  /** The environment variable that it is from, for messages. */
  readonly variable: string;
  /** The URL as it is now; `warn` is called where a file cannot be read. */
  readonly renew: (warn: Warn) => string;
}

export interface BrokerConfig extends BrokerLogin {
  /** The login as it is now. */
  readonly renew: (warn: Warn) => BrokerLogin;
}

type Warn = (problem: string) => void;

const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

/** Throws `ConfigurationError`. Empty variables count as unset: that is what `NAME=` in a file means. */
export function readConfig(definition: ServiceDefinition, given: Environment): ServiceConfig {
  const variables = serviceVariables(definition);
  const files = readCredentials(readNames(definition, variables), nonEmpty(given));
  const env = withDefaults(variables, files.env);
  const keys = readKeys(definition, env);
  const variable = databaseVariable(definition, env);
  const problems = [
    ...files.problems.values(),
    ...missing(definition, variables, env)
      .filter(({ name }) => !files.problems.has(name))
      .map(({ text }) => text),
    ...(variable === undefined ? [] : checkDatabase(variable, env)),
    ...(needsBroker(definition) ? checkBroker(env) : []),
    ...calledServices(definition).flatMap(({ urlVariable: name }) => checkServiceUrl(name, env[name])),
    ...keys.problems,
    ...checkPort(env.PORT),
    ...checkChoice("LOG_LEVEL", env.LOG_LEVEL, LOG_LEVELS),
    ...checkChoice("LOG_EVENTS", env.LOG_EVENTS, ["on", "off"]),
    ...checkChoice("MIGRATE", env.MIGRATE, ["on", "off"]),
  ];
  if (problems.length > 0) throw new ConfigurationError(definition.name, problems);
  const renewed = (warn: Warn) => withDefaults(variables, files.renewed(warn));
  const database = variable === undefined ? undefined : databaseConfig(variable, env, renewed);
  return {
    ...(database === undefined ? {} : { database }),
    ...(needsBroker(definition)
      ? { broker: { ...brokerLogin(env), renew: (warn: Warn) => brokerLogin(renewed(warn)) } }
      : {}),
    keys: keys.known,
    // These have defaults.
    host: String(env.HOST),
    port: Number(env.PORT),
    logLevel: String(env.LOG_LEVEL),
    logsEvents: env.LOG_EVENTS === "on",
    migrate: env.MIGRATE !== "off",
    env: { ...env, ...keys.shown },
    warnings: [
      ...keys.warnings,
      ...(database === undefined ? [] : warnOfSslMode(database.variable, database.url)),
    ],
  };
}

/** DATABASE_URL serves where the service's own variable is not set. */
function databaseVariable({ database }: ServiceDefinition, env: Environment): string | undefined {
  if (database === undefined) return undefined;
  return env[database.urlVariable] === undefined ? DATABASE_URL : database.urlVariable;
}

const DATABASE_URL = "DATABASE_URL";

function databaseConfig(
  variable: string,
  env: Environment,
  renewed: (warn: Warn) => Environment,
): DatabaseConfig {
  const url = databaseUrl(variable, env) ?? "";
  return { variable, url, renew: (warn) => databaseUrl(variable, renewed(warn)) ?? url };
}

function readNames(
  { database }: ServiceDefinition,
  variables: readonly EnvironmentDefinition[],
): readonly string[] {
  const standIn = database === undefined ? [] : [DATABASE_URL, passwordVariable(DATABASE_URL)];
  return [...variables.map(({ name }) => name), ...standIn];
}

function nonEmpty(given: Environment): Environment {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ""));
}

/** What the runtime reads, and what mesh.yaml says that the service reads. */
export function serviceVariables(definition: ServiceDefinition): readonly EnvironmentDefinition[] {
  return [...runtimeVariables(definition), ...(definition.environment ?? [])];
}

function withDefaults(variables: readonly EnvironmentDefinition[], given: Environment): Environment {
  const env: Record<string, string | undefined> = {};
  for (const variable of variables) env[variable.name] = variable.default;
  for (const [name, value] of Object.entries(given))
    if (value !== undefined && value !== "") env[name] = value;
  return env;
}

function missing(
  definition: ServiceDefinition,
  variables: readonly EnvironmentDefinition[],
  env: Environment,
): readonly { readonly name: string; readonly text: string }[] {
  const { database } = definition;
  // An optional source whose URL is set needs its key too.
  const keys = calledServices(definition).filter((one) => env[one.urlVariable] !== undefined);
  const needed = new Set([
    ...variables.filter(({ required }) => required).map((variable) => variable.name),
    ...keys.map(({ keyVariable }) => keyVariable),
  ]);
  if (database !== undefined) needed.delete(database.urlVariable);
  const absent = [...needed]
    .filter((name) => env[name] === undefined)
    .map((name) => ({ name, text: `${name} is not set${hint(name, env)}` }));
  if (database === undefined || env[database.urlVariable] !== undefined || env[DATABASE_URL] !== undefined)
    return absent;
  const { urlVariable: name } = database;
  const example = `postgres://user:password@host:5432/${database.name}`;
  return [{ name, text: `${name} is not set (nor DATABASE_URL): ${example}` }, ...absent];
}

function hint(name: string, env: Environment): string {
  if (name === OPERATOR_KEY) {
    const former = env.SERVICE_KEY === undefined ? "" : " (SERVICE_KEY, one key for all, is no longer read)";
    return `: the key that opens everything to operators, or sha256: and its SHA-256 in hex, which suffices here${former}`;
  }
  const [, caller, callee] = /^(.+)_TO_(.+)_KEY$/.exec(name) ?? [];
  if (caller !== undefined) return `: the key that ${caller} shows to ${callee}, the same on either side`;
  if (name === "NATS_URL") return ": nats://host:4222";
  return name.endsWith("_SERVICE_URL")
    ? `: http://${name.slice(0, -"_SERVICE_URL".length).toLowerCase()}-service:80`
    : "";
}

function checkPort(value: string | undefined): string[] {
  if (value === undefined || (/^\d{1,5}$/.test(value) && Number(value) <= 65_535)) return [];
  return [`PORT is ${JSON.stringify(value)}; it is a number from 0 (any free port) to 65535`];
}

function checkChoice(name: string, value: string | undefined, choices: readonly string[]): string[] {
  if (value === undefined || choices.includes(value)) return [];
  return [`${name} is ${JSON.stringify(value)}; it is one of ${choices.join(", ")}`];
}
