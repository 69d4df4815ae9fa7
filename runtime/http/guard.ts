import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { createAuthenticator, type KnownKeys, type Principal } from "./authenticate.js";
import { authorize } from "./authorize.js";
import type { Connections } from "./connections.js";
import { OPEN_PATHS } from "./health-routes.js";
import { Problem, unavailable } from "./problem.js";

declare module "fastify" {
  interface FastifyRequest {
    /** Undefined on an open path, and before the request is authenticated. */
    principal: Principal | undefined;
  }
}

export interface GuardOptions {
  readonly service: string;
  readonly keys: KnownKeys;
  readonly connections: Connections;
  /** Why requests cannot be served yet, or any more; undefined while they can. */
  readonly closed: () => string | undefined;
}

/** Authenticates and authorizes before the body is read, on unknown paths too: a stranger learns only that a key is needed. */
export function guard(app: FastifyInstance, { service, keys, connections, closed }: GuardOptions): void {
  const authenticate = createAuthenticator(service, keys);
  app.decorateRequest("principal", undefined);
  app.addHook("onRequest", async (request) => {
    refuseAmbiguous(request.raw);
    if (isOpen(request) || (keys.metrics === "open" && isForMetrics(request))) return;
    const principal = authenticate(request.headers.authorization);
    request.principal = principal;
    connections.trust(request.raw.socket);
    authorize(principal, request.routeOptions.config?.access, service);
    const reason = closed();
    if (reason !== undefined && !isForMetrics(request)) throw unavailable(reason, 2);
  });
}

/** Whether the route needs no key. */
export function isOpen(request: FastifyRequest): boolean {
  return OPEN_PATHS.has(request.routeOptions.url);
}

/** Whether the route is read by a program every few seconds. */
export function isForMetrics(request: FastifyRequest): boolean {
  return request.routeOptions.config?.access === "metrics";
}

/** Headers that must not be repeated: a proxy may have read another one than we do. */
const SINGLE = ["host", "authorization"];

function refuseAmbiguous({ httpVersion, headers, rawHeaders }: IncomingMessage): void {
  if (httpVersion === "1.1" && headers.host === undefined)
    throw new Problem("malformed", "The Host header is missing.");
  const names = rawHeaders.filter((_, at) => at % 2 === 0).map((name) => name.toLowerCase());
  const repeated = SINGLE.find((name) => names.indexOf(name) !== names.lastIndexOf(name));
  if (repeated !== undefined)
    throw new Problem("malformed", `The header ${repeated} is given more than once.`);
}
