import { createSecureContext } from "node:tls";
import pg from "pg";
import { clientConfig } from "../database/connecting.js";

/*
 * Checks of URLs that can never work, at the start, in one line each. What may still come right, such as an unknown host or a
 * refused password, is retried instead. No value is quoted: it may hold a password.
 */

interface UrlRule {
  readonly schemes: readonly string[];
  readonly example: string;
  /** Default, where the value has no scheme. */
  readonly scheme?: string;
  /** The host may be missing: a database may be reached by a socket in the file system. */
  readonly hostless?: true;
}

const DATABASE: UrlRule = {
  schemes: ["postgres:", "postgresql:"],
  example: "postgres://user:password@host:5432/name",
  hostless: true,
};
const BROKER: UrlRule = { schemes: ["nats:", "tls:"], example: "nats://host:4222", scheme: "nats://" };
const SERVICE: UrlRule = { schemes: ["http:", "https:"], example: "http://host:8080" };

/**
 * What is wrong with a PostgreSQL URL, a line each; none for undefined. Lines name the variable and never quote
 * its value, which may hold a password.
 */
export function checkDatabaseUrl(name: string, value: string | undefined): readonly string[] {
  if (value === undefined) return [];
  const url = parseUrl(name, value, DATABASE);
  if (typeof url === "string") return [url];
  const port = url.searchParams.get("port");
  if (port !== null && !(Number(port) >= 1 && Number(port) <= 65_535))
    return [`${name} has a port that is not between 1 and 65535`];
  if ((url.searchParams.get("host") ?? url.hostname).includes(","))
    return [`${name} names several hosts; give the one to write to, or a name that leads there`];
  try {
    // The driver reads the URL; the certificates that it names are read here.
    const config = clientConfig(value);
    new pg.Client({ ...config });
    if (typeof config.ssl === "object") createSecureContext(config.ssl);
  } catch (error) {
    return [`${name} cannot be used: ${error instanceof Error ? error.message : "the driver refuses it"}`];
  }
  return [];
}

/** TLS that does not ask who the server is. */
export function warnOfSslMode(name: string, value: string): readonly string[] {
  const { ssl } = clientConfig(value);
  return typeof ssl === "object" && ssl.rejectUnauthorized === false
    ? [`${name} has sslmode=require: it is encrypted, to whoever answers; verify-full asks who that is`]
    : [];
}

/** One address, or several of a cluster, separated by commas. */
export function checkBrokerUrl(name: string, value: string | undefined): readonly string[] {
  if (value === undefined) return [];
  const problems = value.split(",").flatMap((one) => {
    const url = parseUrl(name, one.trim(), BROKER);
    return typeof url === "string" ? [url] : [];
  });
  return [...new Set(problems)];
}

export function checkServiceUrl(name: string, value: string | undefined): readonly string[] {
  if (value === undefined) return [];
  const url = parseUrl(name, value, SERVICE);
  if (typeof url === "string") return [url];
  if (url.username !== "" || url.password !== "")
    return [`${name} holds credentials, with which no request can be made; a key of its own authorizes it`];
  if (url.search !== "" || url.hash !== "")
    return [`${name} has a query or a fragment; paths are added to it, so it looks like ${SERVICE.example}`];
  return [];
}

/** The URL, or what is wrong with it. */
function parseUrl(
  name: string,
  value: string,
  { schemes, example, scheme, hostless }: UrlRule,
): URL | string {
  const text = scheme === undefined || value.includes("://") ? value : scheme + value;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined) return `${name} is not a URL; it looks like ${example}`;
  if (!schemes.includes(url.protocol)) {
    // Without `://` what stands before the colon is a host or a user, and must not be quoted.
    const said = text.includes("://") ? `starts with ${url.protocol}//` : "has no scheme";
    return `${name} ${said}; it looks like ${example}`;
  }
  if (url.hostname === "" && hostless !== true) return `${name} has no host; it looks like ${example}`;
  if (url.port === "0") return `${name} has port 0, at which nobody answers; it looks like ${example}`;
  for (const part of [url.username, url.password, url.hostname, url.pathname]) {
    if (!decodes(part)) return `${name} has a % that encodes nothing; write %25 for it`;
  }
  return url;
}

function decodes(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
