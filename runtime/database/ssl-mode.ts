import { type ConnectionOptions, checkServerIdentity } from "node:tls";
import { readPlainFile } from "../plain-file.js";

/*
 * TLS to PostgreSQL as the URL asks for it, with the meaning that libpq and psql give to its parameters. The driver's own reading
 * takes `require` and `verify-ca` for `verify-full`, and says that this will change.
 */

const SSL_MODES = ["disable", "require", "verify-ca", "verify-full"] as const;
export type SslMode = (typeof SSL_MODES)[number];

/** Parameters of the URL, and the variable of libpq that stands in for each. */
const PARAMETERS = {
  sslmode: "PGSSLMODE",
  sslrootcert: "PGSSLROOTCERT",
  sslcert: "PGSSLCERT",
  sslkey: "PGSSLKEY",
  sslpassword: undefined,
  sslnegotiation: "PGSSLNEGOTIATION",
} as const;

/** Words of libpq, of the driver and of other drivers, with what to write here. */
const OTHER_MODES: Readonly<Record<string, string>> = {
  allow: "disable, or require",
  prefer: "require; TLS that gives way to plain text protects nobody",
  "no-verify": "require, which is the same in the words of PostgreSQL",
};

export interface TlsSettings {
  readonly mode: SslMode;
  /** False without TLS. */
  readonly ssl: ConnectionOptions | false;
  /** `direct`: TLS from the first byte, as PostgreSQL 17 can. */
  readonly sslnegotiation: "direct" | "postgres";
  /** The URL without the parameters about TLS. */
  readonly url: string;
}

/** What is wrong with the parameters of a URL; the message quotes no secret. */
export class SslError extends Error {
  override readonly name = "SslError";
}

/** Reads the certificates that the URL names. Throws `SslError`. */
export function tlsSettings(given: string, env: Readonly<Record<string, string | undefined>>): TlsSettings {
  const url = new URL(given);
  const { searchParams } = url;
  const parameter = (name: keyof typeof PARAMETERS) =>
    searchParams.get(name) || (PARAMETERS[name] && env[PARAMETERS[name]]) || undefined;
  const files = {
    ca: parameter("sslrootcert"),
    cert: parameter("sslcert"),
    key: parameter("sslkey"),
    passphrase: parameter("sslpassword"),
  };
  // Who names certificates wants them checked; otherwise as the driver does.
  const unsaid = files.ca !== undefined || files.cert !== undefined ? "verify-full" : "disable";
  const mode = modeOf(parameter("sslmode") ?? (isTrue(searchParams.get("ssl")) ? "require" : unsaid));
  const sslnegotiation = negotiationOf(parameter("sslnegotiation"));
  const settings = { mode, sslnegotiation };
  const named = decodeURIComponent(url.hostname).replace(/^\[(.+)\]$/, "$1");
  const host = searchParams.get("host") || named || env.PGHOST || "localhost";
  for (const name of [...Object.keys(PARAMETERS), "ssl", "uselibpqcompat"]) searchParams.delete(name);
  if (sslnegotiation === "direct" && mode === "disable")
    throw new SslError("sslnegotiation=direct needs sslmode=require or more");
  if (mode === "disable") return { ...settings, ssl: false, url: url.href };
  return {
    ...settings,
    ssl: { ...certificates(files), ...verification(mode, files.ca, host) },
    url: url.href,
  };
}

/** `ssl=true`, of JDBC, is `require` to libpq. */
function isTrue(ssl: string | null): boolean {
  return ssl === "true" || ssl === "1";
}

function negotiationOf(text = "postgres"): TlsSettings["sslnegotiation"] {
  if (text === "direct" || text === "postgres") return text;
  throw new SslError("sslnegotiation is neither postgres nor direct");
}

function modeOf(text: string): SslMode {
  const mode = SSL_MODES.find((one) => one === text);
  if (mode !== undefined) return mode;
  const instead = OTHER_MODES[text] ?? `one of ${SSL_MODES.join(", ")}`;
  throw new SslError(`the sslmode ${JSON.stringify(text.slice(0, 20))} is not supported: write ${instead}`);
}

/** Node's and no file: `sslrootcert=system`, as libpq spells it. */
const SYSTEM = "system";
/** As in libpq: anybody gets a certificate of a public authority, so the host has to be compared. */
const WEAK_SYSTEM = "sslrootcert=system needs sslmode=verify-full";

interface Files {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly passphrase: string | undefined;
}

function certificates({ ca, cert, key, passphrase }: Files): ConnectionOptions {
  if ((cert === undefined) !== (key === undefined))
    throw new SslError("sslcert and sslkey belong together; one of them is missing");
  return {
    ...(ca === undefined || ca === SYSTEM ? {} : { ca: readCertificate("sslrootcert", ca) }),
    ...(cert === undefined ? {} : { cert: readCertificate("sslcert", cert) }),
    ...(key === undefined ? {} : { key: readCertificate("sslkey", key) }),
    ...(passphrase === undefined ? {} : { passphrase }),
  };
}

function verification(
  mode: Exclude<SslMode, "disable">,
  ca: string | undefined,
  host: string,
): ConnectionOptions {
  switch (mode) {
    case "require":
      if (ca === SYSTEM) throw new SslError(WEAK_SYSTEM);
      // As in libpq: who names an authority wants it asked.
      return ca === undefined ? { rejectUnauthorized: false } : anyHost;
    case "verify-ca":
      if (ca === SYSTEM) throw new SslError(WEAK_SYSTEM);
      if (ca === undefined)
        throw new SslError("sslmode=verify-ca needs the file of your authority: sslrootcert=/path/ca.pem");
      return anyHost;
    case "verify-full":
      // By itself the driver compares an IP address with "localhost".
      return { checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate) };
    default:
      return mode satisfies never;
  }
}

const anyHost: ConnectionOptions = { checkServerIdentity: () => undefined };

function readCertificate(parameter: string, path: string): string {
  const { text, problem } = readPlainFile(path);
  if (problem !== undefined)
    throw new SslError(`the file of ${parameter}, ${JSON.stringify(path)}, ${problem}`);
  return text;
}
