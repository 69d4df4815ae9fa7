import { timingSafeEqual } from "node:crypto";
import type { GrantDefinition } from "../definition/service-definition.js";
import { digest } from "../values/access-keys.js";
import { Problem } from "./problem.js";

/** Who sends a request. */
export type Principal =
  | { readonly kind: "operator" }
  /** Whoever reads /metrics, and nothing else. */
  | { readonly kind: "metrics" }
  /** Several services may share a key while their keys are replaced: they are one principal then. */
  | { readonly kind: "service"; readonly name: string; readonly grants: readonly GrantDefinition[] };

/** Name for the log. */
export function principalName(principal: Principal): string {
  return principal.kind === "service" ? principal.name : principal.kind;
}

/** The caller whose share of a concurrency limit counts; undefined for who has no share. */
export function callerOf(principal: Principal | undefined): string | undefined {
  const kind = principal?.kind;
  switch (kind) {
    case "service":
      return principal?.name;
    case "operator":
    case "metrics":
    case undefined:
      return undefined;
    default:
      return kind satisfies never;
  }
}

export interface KnownKeys {
  /** SHA-256 digests of the operator's keys. */
  readonly operator: readonly Buffer[];
  readonly callers: readonly KnownCaller[];
  /** Of who may read /metrics beside operators; `open`: everybody may. Absent: operators alone. */
  readonly metrics?: readonly Buffer[] | "open";
}

export interface KnownCaller {
  readonly name: string;
  readonly digests: readonly Buffer[];
  readonly grants: readonly GrantDefinition[];
}

/** Throws a problem 401 unless the header is `Bearer <key>` with a known key. */
export function createAuthenticator(
  service: string,
  keys: KnownKeys,
): (authorization: string | undefined) => Principal {
  return (authorization) => {
    const given = /^Bearer +(\S.*)$/i.exec(authorization ?? "")?.[1];
    if (given === undefined) throw unauthorized(service, 'Send the header "Authorization: Bearer <key>".');
    const shown = digest(given);
    const isOperator = isAmong(keys.operator, shown);
    const isReader = isAmong(keys.metrics === "open" ? [] : (keys.metrics ?? []), shown);
    const callers = keys.callers.filter(({ digests }) => isAmong(digests, shown));
    if (isOperator) return { kind: "operator" };
    if (isReader) return { kind: "metrics" };
    if (callers.length === 0)
      throw unauthorized(service, "The key is none that this service knows.", 'error="invalid_token"');
    const name = callers.map((caller) => caller.name).join(", ");
    return { kind: "service", name, grants: callers.flatMap(({ grants }) => grants) };
  };
}

/** Compares with every known key, so that the time taken reveals nothing. */
function isAmong(known: readonly Buffer[], shown: Buffer): boolean {
  let found = false;
  for (const one of known) found = timingSafeEqual(one, shown) || found;
  return found;
}

function unauthorized(service: string, detail: string, error?: string): Problem {
  const challenge = [`Bearer realm="${service}"`, error].filter((part) => part !== undefined).join(", ");
  return new Problem("unauthorized", detail, { headers: { "www-authenticate": challenge } });
}
