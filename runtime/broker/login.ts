import { createSecureContext } from "node:tls";
import {
  type Authenticator,
  type ConnectionOptions,
  credsAuthenticator,
  nkeyAuthenticator,
  nkeys,
  type TlsOptions,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from "nats";

/*
 * How a client proves who it is to the broker, and the broker to it: user and password, token, nkey, credentials file, client
 * certificate, a CA of one's own. The client's authenticators do the work; each connection reads the login anew.
 */

/** Of the credentials at most one; a client certificate may stand beside it, or alone where the broker maps it to a user. */
export interface BrokerLogin {
  /** One URL or several, separated by commas: `nats://127.0.0.1:4222`. Credentials in it serve where none are given. */
  readonly url: string;
  readonly user?: string;
  readonly password?: string;
  readonly token?: string;
  /** The seed of a user's nkey: `SU…`. */
  readonly nkey?: string;
  /** A user's JWT and seed, as in a .creds file. */
  readonly creds?: string;
  /** Certificate and key of the client, PEM. */
  readonly cert?: string;
  readonly key?: string;
  /** Certificates of the authorities that may vouch for the broker, PEM. Default: those that Node trusts. */
  readonly ca?: string;
  /** TLS from the first byte, as the broker's `handshake_first` wants it. Default: after the broker's greeting. */
  readonly tlsFirst?: boolean;
}

export const SEED = /\bSU[A-Z2-7]{56}\b/;
const CREDS = /-----BEGIN NATS USER JWT-----\s+\S+\s+-+END NATS USER JWT-+[\s\S]*\bSU[A-Z2-7]{56}\b/;
const PEM = /-----BEGIN [A-Z0-9 ]+-----/;

/** Whether a value is the secret itself, and not the path of its file. */
export const isSeed = (value: string) => SEED.test(value);
export const isCreds = (value: string) => value.includes("-----BEGIN NATS USER JWT");
export const isPem = (value: string) => PEM.test(value);

const VARIABLE = {
  user: "NATS_USER",
  password: "NATS_PASSWORD",
  token: "NATS_TOKEN",
  nkey: "NATS_NKEY",
  creds: "NATS_CREDS",
  cert: "NATS_CERT",
  key: "NATS_KEY",
  ca: "NATS_CA",
} as const satisfies Partial<Record<keyof BrokerLogin, string>>;

/** What is wrong with a login that can never work, a line each. No value is quoted. */
export function checkLogin(login: BrokerLogin): readonly string[] {
  const given = (["user", "token", "nkey", "creds"] as const).filter((way) => login[way] !== undefined);
  const problems: string[] = [];
  const within = inUrl(login.url);
  if (given.length > 1)
    problems.push(`${given.map((way) => VARIABLE[way]).join(" and ")} are set; the broker takes one of them`);
  if (login.password !== undefined && login.user === undefined && within === undefined)
    problems.push("NATS_PASSWORD is set without NATS_USER");
  if (login.nkey !== undefined && !isUserSeed(login.nkey))
    problems.push("NATS_NKEY holds no seed of a user, which begins with SU");
  if (given.length > 0 && login.user === undefined && within !== undefined)
    problems.push(
      `NATS_URL holds a user, and ${given.map((way) => VARIABLE[way]).join(" and ")} is set; give one of them`,
    );
  if (login.creds !== undefined && !CREDS.test(login.creds))
    problems.push("NATS_CREDS is no credentials file; it holds a user's JWT and, after it, the user's seed");
  return [...problems, ...checkCertificates(login)];
}

function isUserSeed(text: string): boolean {
  try {
    nkeys.fromSeed(Buffer.from(SEED.exec(text)?.[0] ?? ""));
    return true;
  } catch {
    return false;
  }
}

function checkCertificates({ cert, key, ca }: BrokerLogin): readonly string[] {
  if (cert !== undefined && key === undefined) return ["NATS_CERT is set without NATS_KEY"];
  if (key !== undefined && cert === undefined) return ["NATS_KEY is set without NATS_CERT"];
  const parts = { cert, key, ca };
  const broken = (["cert", "key", "ca"] as const).filter(
    (part) => !isPem(parts[part] ?? "-----BEGIN X-----"),
  );
  if (broken.length > 0)
    return broken.map((part) => `${VARIABLE[part]} is not PEM, which begins with -----BEGIN`);
  try {
    createSecureContext({ ...(cert && key ? { cert, key } : {}), ...(ca ? { ca } : {}) });
    return [];
  } catch (error) {
    const names = [...(cert ? ["NATS_CERT and NATS_KEY"] : []), ...(ca ? ["NATS_CA"] : [])].join(" or ");
    return [`${names} cannot be used: ${error instanceof Error ? error.message : "TLS refuses them"}`];
  }
}

/** What the client needs to connect and to log in. `current` is asked at each connection. */
export function loginOptions(
  first: BrokerLogin,
  current: () => BrokerLogin,
): Pick<ConnectionOptions, "servers" | "authenticator" | "tls"> {
  const urls = brokerUrls(first.url);
  const { cert, ca, tlsFirst } = first;
  const secure = urls.some(({ protocol }) => protocol === "tls:");
  const tls = secure || tlsFirst === true || cert !== undefined || ca !== undefined;
  return {
    servers: urls.map((one) => `${one.hostname}:${one.port || "4222"}`),
    authenticator: (nonce) => authenticatorOf(current())(nonce),
    ...(tls ? { tls: tlsOptions(first, current) } : {}),
  };
}

/** The client reads certificates at each connection, so that they are as they are then. A copy of this object would not be. */
function tlsOptions(first: BrokerLogin, current: () => BrokerLogin): TlsOptions {
  const options: TlsOptions = { handshakeFirst: first.tlsFirst ?? false };
  for (const part of (["cert", "key", "ca"] as const).filter((one) => first[one] !== undefined))
    Object.defineProperty(options, part, { enumerable: true, get: () => current()[part] ?? first[part] });
  return options;
}

function authenticatorOf({ user, password, token, nkey, creds, url }: BrokerLogin): Authenticator {
  if (creds !== undefined)
    // The client looks for the line break that ends the file.
    return credsAuthenticator(Buffer.from(`${creds.replaceAll("\r\n", "\n").trim()}\n`));
  if (nkey !== undefined) return nkeyAuthenticator(Buffer.from(SEED.exec(nkey)?.[0] ?? ""));
  if (token !== undefined) return tokenAuthenticator(token);
  const own = credentialsOf({ url, user, password });
  if (own.user === undefined) return () => undefined;
  // As in other clients, a URL with a name and no password holds a token.
  return user === undefined && own.password === undefined
    ? tokenAuthenticator(own.user)
    : usernamePasswordAuthenticator(own.user, own.password);
}

/** User and password of a login, which may be in its URL. */
export function credentialsOf({
  url,
  user,
  password,
}: {
  readonly url: string;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
}): { readonly user?: string | undefined; readonly password?: string | undefined } {
  const within = inUrl(url);
  return { user: user ?? within?.user, password: password ?? within?.password };
}

function brokerUrls(urls: string): readonly URL[] {
  return urls.split(",").map((one) => new URL(one.includes("://") ? one.trim() : `nats://${one.trim()}`));
}

/** The credentials of the first URL that has any. */
function inUrl(urls: string): Pick<BrokerLogin, "user" | "password"> | undefined {
  const url = brokerUrls(urls).find(({ username }) => username !== "");
  if (url === undefined) return undefined;
  const password = decodeURIComponent(url.password);
  return { user: decodeURIComponent(url.username), ...(password === "" ? {} : { password }) };
}

/** What TLS says of a broker, and what to do about it. */
const TLS_ERRORS: readonly (readonly [RegExp, string])[] = [
  [
    /self.signed certificate|unable to (verify|get)|UNABLE_TO_|SELF_SIGNED/i,
    "the broker is refused: its certificate is of no authority that is trusted here: NATS_CA names the one that issued it",
  ],
  [/altnames|ALTNAME/i, "the broker is refused: its certificate is for another host than NATS_URL names"],
  [/certificate has expired|CERT_HAS_EXPIRED/i, "the broker is refused: its certificate has expired"],
  [
    /certificate required|bad certificate/i,
    "the broker wants a client certificate that it knows: NATS_CERT and NATS_KEY",
  ],
  [
    /^'?tls'?$|SERVER_OPTION_NA/i,
    "the broker is refused: it does not speak TLS, which NATS_URL or a certificate asks for",
  ],
  [
    /^TIMEOUT$/,
    "the broker does not answer: it hangs, or nothing reaches it; if neither, it may want a client certificate (NATS_CERT, NATS_KEY), or TLS first (NATS_TLS_FIRST)",
  ],
];

/** An error of the client, with what it means where it may be about certificates. */
export function explainTls(message: string): string {
  const known = TLS_ERRORS.find(([pattern]) => pattern.test(message));
  return known === undefined ? message : `${known[1]} (${message})`;
}
