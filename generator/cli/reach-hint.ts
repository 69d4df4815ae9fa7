/** What to do where a server cannot be reached, or lets nobody in; undefined for any other failure. */
export function reachHint(error: unknown): string | undefined {
  const code = codeOf(error);
  return code === undefined ? undefined : HINTS[code];
}

/** The message of the first failure: that of several addresses has none of its own. */
export function reachMessage(error: Error): string {
  if (error.message !== "" || !(error instanceof AggregateError)) return error.message || error.name;
  const [first] = error.errors as readonly unknown[];
  return first instanceof Error ? first.message : error.name;
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as Error & { readonly code?: unknown };
  if (typeof code === "string" && Object.hasOwn(HINTS, code)) return code;
  const [first] = error instanceof AggregateError ? (error.errors as readonly unknown[]) : [];
  return codeOf(first ?? error.cause);
}

const ADDRESS = "see whether the server runs, and whether host and port of the URL are its own";

/** By the system's code, or PostgreSQL's SQLSTATE. */
const HINTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: `nothing listens there: ${ADDRESS}`,
  ETIMEDOUT: `nothing answers there: ${ADDRESS}`,
  EHOSTUNREACH: `nothing answers there: ${ADDRESS}`,
  ENOTFOUND: "the host of the URL has no address: see how it is spelt",
  EAI_AGAIN:
    "the host of the URL has no address at the moment: see how it is spelt, and whether this machine is online",
  "28P01": "see user and password of the URL; what is no letter or digit in them stands percent-encoded",
  "28000": "see the user of the URL, and whether the server lets it in from here (pg_hba.conf)",
  "3D000":
    "see the database at the end of the URL; where it is new, an administrator makes it: CREATE DATABASE …",
};
