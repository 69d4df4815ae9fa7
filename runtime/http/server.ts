import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import Fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import type { Pool } from "pg";
import type { Logger, ResourceDefinition } from "../definition.js";
import { acceptJson } from "./body.js";
import { answerUnparsed, sendProblem, toProblem } from "./failure.js";
import { type Health, OPEN_PATHS, serveHealth } from "./health.js";
import { type Operations, serveOperations } from "./operate.js";
import { Problem, unavailable } from "./problem.js";
import { resourceMethods, serveResource } from "./resource.js";
import { createKeyCheck } from "./service-key.js";
import { createTurnstile } from "./turnstile.js";

export interface HttpOptions {
  readonly service: string;
  readonly resources: readonly ResourceDefinition[];
  readonly pool: Pool;
  /** Every request but health must carry it: `Authorization: Bearer <key>`. */
  readonly serviceKey: string;
  readonly logger: Logger;
  readonly health: () => Promise<Health>;
  readonly operations: Operations;
  /** Why requests cannot be served yet, or no longer; undefined once they can. */
  readonly closed: () => string | undefined;
  readonly limits?: Partial<HttpLimits>;
}

export interface HttpLimits {
  readonly bodyBytes: number;
  /** For a whole request to arrive. */
  readonly requestMs: number;
  /** Without a byte either way: a reader that stopped reading gives its connections back. */
  readonly idleMs: number;
  /** Lists at once. Each holds one connection of the pool. */
  readonly lists: number;
}

/** Bodies may be larger than the broker's usual largest event: PostgreSQL measures the event, and says so better. */
const LIMITS: HttpLimits = { bodyBytes: 2 * 1024 * 1024, requestMs: 30_000, idleMs: 60_000, lists: 5 };
const LIST_WAIT_MS = 10_000;
const LONGEST_ID = 8192;

/** The service's HTTP face. Listening and closing are the caller's part. */
export function buildServer(options: HttpOptions): FastifyInstance {
  const { logger, resources, pool } = options;
  const limits = { ...LIMITS, ...options.limits };
  const app: FastifyInstance = Fastify({
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestMs,
    connectionTimeout: limits.idleMs,
    http: {
      headersTimeout: Math.min(limits.requestMs, 20_000),
      connectionsCheckingInterval: Math.min(limits.requestMs, 5_000),
      // Node's own refusal is no problem document; `guard` refuses instead.
      requireHostHeader: false,
    },
    forceCloseConnections: "idle",
    // Fastify's own answer while it closes is no problem document; `closed` answers instead.
    return503OnClosing: false,
    genReqId: requestId,
    routerOptions: { maxParamLength: LONGEST_ID, ignoreTrailingSlash: true },
    frameworkErrors: (error, request, reply) => void sendProblem(toProblem(error), request, reply),
    clientErrorHandler: answerUnparsed,
  });
  acceptJson(app);
  logRequests(app, logger);
  guard(app, options);
  app.setErrorHandler((error, request, reply) => {
    const problem = toProblem(error);
    if (problem.status >= 500) {
      logger.error(
        { error: problem.cause ?? problem, request: request.id, status: problem.status },
        "request failed",
      );
    }
    return sendProblem(problem, request, reply);
  });
  app.setNotFoundHandler((request, reply) => sendProblem(missing(request, resources), request, reply));
  serveHealth(app, options.health);
  serveOperations(app, options.operations);
  const lists = createTurnstile(limits.lists, LIST_WAIT_MS);
  for (const resource of resources) {
    serveResource(app, { service: options.service, resource, pool, lists, logger });
  }
  return app;
}

/** The caller's own id when it is one, so that a request can be followed across services. */
function requestId({ headers }: Pick<IncomingMessage, "headers">): string {
  const given = headers["x-request-id"];
  return typeof given === "string" && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID();
}

function logRequests(app: FastifyInstance, logger: Logger): void {
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
  });
  app.addHook("onResponse", async (request, reply) => {
    const fields = {
      request: request.id,
      method: request.method,
      path: request.url.split("?", 1)[0],
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
      ...(reply.raw.writableFinished ? {} : { aborted: true }),
    };
    if (isOpen(request)) logger.debug(fields, "request");
    else logger.info(fields, "request");
  });
}

/** Runs before the body is read, for unknown paths too: a stranger learns nothing but that a key is needed. */
function guard(app: FastifyInstance, { service, serviceKey, closed }: HttpOptions): void {
  const checkKey = createKeyCheck(service, serviceKey);
  app.addHook("onRequest", async (request) => {
    if (request.raw.httpVersion === "1.1" && request.headers.host === undefined) {
      throw new Problem("malformed", "The Host header is missing.");
    }
    if (isOpen(request)) return;
    checkKey(request.headers.authorization);
    const reason = closed();
    if (reason !== undefined) throw unavailable(reason, 2);
  });
}

function isOpen(request: FastifyRequest): boolean {
  return OPEN_PATHS.has(request.routeOptions.url);
}

/** 405 where the path is one of ours and only the method is not, else 404. */
function missing(request: FastifyRequest, resources: readonly ResourceDefinition[]): Problem {
  const path = request.url.split("?", 1)[0]?.replace(/(.)\/$/, "$1") ?? "";
  const allowed = allowedMethods(path, resources);
  if (allowed === undefined) return new Problem("not-found", `There is nothing at ${path}.`);
  return new Problem("method", `${request.method} is not one of ${allowed.join(", ")}.`, {
    headers: { allow: allowed.join(", ") },
  });
}

function allowedMethods(
  path: string,
  resources: readonly ResourceDefinition[],
): readonly string[] | undefined {
  if (OPEN_PATHS.has(path)) return ["GET", "HEAD"];
  if (path === "/operate/resync") return ["POST"];
  for (const resource of resources) {
    const methods = resourceMethods(resource);
    if (path === resource.path) return methods.collection;
    const below = path.startsWith(`${resource.path}/`) ? path.slice(resource.path.length + 1) : "";
    if (below !== "" && !below.includes("/")) return methods.item;
  }
  return undefined;
}
