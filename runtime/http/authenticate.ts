import { timingSafeEqual } from "node:crypto";
import type { GrantDefinition } from "../definition.js";
import { digest } from "../values/access-keys.js";
import { Problem } from "./problem.js";

/** Whom a request is from. End users are to be a kind of their own beside these. */
export type Principal =
  | { readonly kind: "operator" }
  /** Several share a key only while each of them is given its own. */
  | { readonly kind: "service"; readonly name: string; readonly grants: readonly GrantDefinition[] };

/** For the log, and to tell whose turn it is. */
export function principalName(principal: Principal): string {
  return principal.kind === "operator" ? "operator" : principal.name;
}

/** Whose share of the places it is; undefined for an operator, who is not made to share. */
export function callerOf(principal: Principal | undefined): string | undefined {
  return principal?.kind === "service" ? principal.name : undefined;
}

export interface KnownKeys {
  /** Digests. */
  readonly operator: readonly Buffer[];
  readonly callers: readonly KnownCaller[];
}

export interface KnownCaller {
  readonly name: string;
  readonly digests: readonly Buffer[];
  readonly grants: readonly GrantDefinition[];
}

/** Throws 401 unless the header is `Bearer <key>` with a key that is known. */
export function createAuthenticator(
  service: string,
  keys: KnownKeys,
): (authorization: string | undefined) => Principal {
  return (authorization) => {
    const given = /^Bearer +(\S.*)$/i.exec(authorization ?? "")?.[1];
    if (given === undefined) throw unauthorized(service, 'Send the header "Authorization: Bearer <key>".');
    const shown = digest(given);
    const isOperator = isAmong(keys.operator, shown);
    const callers = keys.callers.filter(({ digests }) => isAmong(digests, shown));
    if (isOperator) return { kind: "operator" };
    if (callers.length === 0)
      throw unauthorized(service, "The key is none that this service knows.", 'error="invalid_token"');
    const name = callers.map((caller) => caller.name).join(", ");
    return { kind: "service", name, grants: callers.flatMap(({ grants }) => grants) };
  };
}

/** Compares with all of them, whichever it is: the time that it takes tells nothing. */
function isAmong(known: readonly Buffer[], shown: Buffer): boolean {
  let found = false;
  for (const one of known) found = timingSafeEqual(one, shown) || found;
  return found;
}

function unauthorized(service: string, detail: string, error?: string): Problem {
  const challenge = [`Bearer realm="${service}"`, error].filter((part) => part !== undefined).join(", ");
  return new Problem("unauthorized", detail, { headers: { "www-authenticate": challenge } });
}
