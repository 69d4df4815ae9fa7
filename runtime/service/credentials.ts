import { type BrokerLogin, checkLogin, isCreds, isPem, isSeed } from "../broker/login.js";
import { type Environment, type FileReading, readSecretFiles } from "./secret-files.js";
import { checkBrokerUrl, checkDatabaseUrl } from "./urls.js";

/*
 * The environment as services and the command line read it: secrets as values or in files, and of them the logins at the broker and
 * at databases.
 */

/** Beside NATS_URL; by the names of the `nats` command line, where it has one. */
export const LOGIN_VARIABLES = [
  "NATS_USER",
  "NATS_PASSWORD",
  "NATS_TOKEN",
  "NATS_NKEY",
  "NATS_CREDS",
  "NATS_CERT",
  "NATS_KEY",
  "NATS_CA",
  "NATS_TLS_FIRST",
] as const;

/** The `nats` command line takes the path of a file for these. */
const DOCUMENTS = [
  { name: "NATS_NKEY", isContent: isSeed },
  { name: "NATS_CREDS", isContent: isCreds },
  { name: "NATS_CERT", isContent: isPem },
  { name: "NATS_KEY", isContent: isPem },
  { name: "NATS_CA", isContent: isPem },
];

/** The environment with the contents of the files that it names for these variables. */
export function readCredentials(names: readonly string[], given: Environment): FileReading {
  return readSecretFiles(names, given, DOCUMENTS);
}

/** What is wrong with where the broker is, and how to log in there. */
export function checkBroker(env: Environment): readonly string[] {
  const problems = checkBrokerUrl("NATS_URL", env.NATS_URL);
  const first = env.NATS_TLS_FIRST;
  const choice =
    first === undefined || first === "on" || first === "off"
      ? []
      : [`NATS_TLS_FIRST is ${JSON.stringify(first)}; it is one of on, off`];
  return [...problems, ...choice, ...(problems.length === 0 ? checkLogin(brokerLogin(env)) : [])];
}

/** The login that the variables of an environment say. */
export function brokerLogin(env: Environment): BrokerLogin {
  const given = {
    user: env.NATS_USER,
    password: env.NATS_PASSWORD,
    token: env.NATS_TOKEN,
    nkey: env.NATS_NKEY,
    creds: env.NATS_CREDS,
    cert: env.NATS_CERT,
    key: env.NATS_KEY,
    ca: env.NATS_CA,
  };
  return {
    url: env.NATS_URL ?? "",
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
    ...(env.NATS_TLS_FIRST === "on" ? { tlsFirst: true } : {}),
  };
}

/** What is wrong with the URL of a database, and with the password beside it. */
export function checkDatabase(variable: string, env: Environment): readonly string[] {
  const problems = checkDatabaseUrl(variable, env[variable]);
  if (problems.length > 0 || env[variable] === undefined) return problems;
  const password = passwordVariable(variable);
  return env[password] !== undefined && hasPassword(new URL(env[variable]))
    ? [`${variable} holds a password, and ${password} is set; give one of them`]
    : [];
}

function hasPassword(url: URL): boolean {
  return url.password !== "" || url.searchParams.has("password");
}

/** The URL with the password that stands beside it. */
export function databaseUrl(variable: string, env: Environment): string | undefined {
  const url = env[variable];
  const password = env[passwordVariable(variable)];
  if (url === undefined || password === undefined) return url;
  const whole = new URL(url);
  // The driver prefers it to the place before the host, which a URL without a host does not have.
  whole.searchParams.set("password", password);
  return whole.href;
}

/** `AUTH_DB_PASSWORD`, of `AUTH_DB_URL`: for a password that is kept apart from the URL. */
export function passwordVariable(urlVariable: string): string {
  return urlVariable.replace(/_URL$/, "_PASSWORD");
}
