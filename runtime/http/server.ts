import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import Fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import type { Pool } from "pg";
import type { Logger } from "../definition/hook-definition.js";
import type { ResourceDefinition } from "../definition/service-definition.js";
import { clip } from "../text/clip.js";
import { type KnownKeys, principalName } from "./authenticate.js";
import { admitBodies } from "./bodies.js";
import { acceptJson } from "./body.js";
import { createSharedLimit, type SharedConcurrencyLimit } from "./concurrency-limit.js";
import { type ConnectionLimits, limitConnections } from "./connections.js";
import { guard, isForMetrics, isOpen } from "./guard.js";
import { type Health, OPEN_PATHS, serveHealth } from "./health-routes.js";
import { isBeforeMigrations, problemOf } from "./http-errors.js";
import { METRICS_PATH, type MetricsOptions, serveMetrics } from "./metrics-route.js";
import { OPENAPI_PATH, serveOpenApi } from "./openapi-route.js";
import { type Operations, serveOperations } from "./operate-routes.js";
import { Problem } from "./problem.js";
import { answerUnparsed, sendProblem } from "./problem-answers.js";
import { resourceMethods, serveResource } from "./resource.js";

export interface HttpOptions {
  readonly service: string;
  readonly resources: readonly ResourceDefinition[];
  /** The OpenAPI document of the service; undefined: it has none. */
  readonly openApi?: URL | undefined;
  /** Undefined for a service without a database, which has no resources. */
  readonly pool: Pool | undefined;
  /** Every request, except to an open path, must send one of them: `Authorization: Bearer <key>`. */
  readonly keys: KnownKeys;
  readonly logger: Logger;
  readonly health: () => Promise<Health>;
  readonly operations: Operations;
  /** Absent: there is no /metrics, and no request is measured. */
  readonly metrics?: MetricsOptions;
  /** Why requests cannot be served yet, or any more; undefined while they can. */
  readonly closed: () => string | undefined;
  readonly limits?: Partial<HttpLimits>;
}

export interface HttpLimits extends ConnectionLimits {
  /** Largest body. Default 2 MiB. */
  readonly bodyBytes: number;
  /** In which a whole request must arrive. Default 30000. */
  readonly requestMs: number;
  /** After which a connection without a byte in either direction is closed. Default 60000. */
  readonly idleMs: number;
  /** In which the client of a list must take each chunk of 64 KiB: a slow one has a connection too. Default 60000. */
  readonly chunkMs: number;
  /** Large bodies that are read at once. Default 20. */
  readonly bodies: number;
  /** Lists at once. Each has one connection of the pool. Default 5. */
  readonly lists: number;
}

/** Bodies may be larger than the broker's usual max_payload: PostgreSQL measures the event and refuses it with a better message. */
const LIMITS: HttpLimits = {
  bodyBytes: 2 * 1024 * 1024,
  requestMs: 30_000,
  idleMs: 60_000,
  chunkMs: 60_000,
  bodies: 20,
  lists: 5,
  connections: 1_000,
  strangers: 500,
};
const SLOT_WAIT_MS = 10_000;
const LONGEST_ID = 8192;

/** The HTTP server of a service. The caller listens and closes. */
export function buildServer(options: HttpOptions): FastifyInstance {
  const { logger, resources, pool } = options;
  const limits = { ...LIMITS, ...options.limits };
  const app: FastifyInstance = Fastify({
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestMs,
    connectionTimeout: limits.idleMs,
    http: {
      headersTimeout: Math.min(limits.requestMs, 10_000),
      connectionsCheckingInterval: Math.min(limits.requestMs, 2_000),
      // Node's own refusal is no problem document; `guard` refuses instead.
      requireHostHeader: false,
    },
    forceCloseConnections: "idle",
    // Fastify's own answer while it closes is no problem document; `closed` answers instead.
    return503OnClosing: false,
    genReqId: requestId,
    routerOptions: { maxParamLength: LONGEST_ID, ignoreTrailingSlash: true },
    frameworkErrors: (error, request, reply) => void sendProblem(problemOf(error), request, reply),
    clientErrorHandler: (error, socket) => answerUnparsed(error, socket, connections.isAnswering(socket)),
  });
  const connections = limitConnections(app.server, limits, logger);
  acceptJson(app);
  logRequests(app, logger);
  guard(app, { ...options, connections });
  admitBodies(app, shareAmong(limits.bodies));
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error);
    if (isBeforeMigrations(problem))
      logger.info({ request: request.id }, "not answered: the database is not migrated yet");
    else if (problem.status >= 500) {
      logger.error(
        { error: problem.cause ?? problem, request: request.id, status: problem.status },
        "request failed",
      );
    }
    return sendProblem(problem, request, reply);
  });
  app.setNotFoundHandler((request, reply) => sendProblem(missing(request, options), request, reply));
  serveHealth(app, options.health);
  serveOperations(app, options.operations);
  if (options.metrics !== undefined) serveMetrics(app, options.metrics);
  if (options.openApi !== undefined) serveOpenApi(app, options.openApi);
  const lists = shareAmong(limits.lists);
  for (const resource of resources) {
    if (pool === undefined)
      throw new Error(`${options.service} serves ${resource.path}, and has no database`);
    serveResource(app, { service: options.service, resource, pool, lists, logger, chunkMs: limits.chunkMs });
  }
  return app;
}

/** A limit of which one calling service can have half of the slots at most. */
function shareAmong(slots: number): SharedConcurrencyLimit {
  const each = Math.max(1, Math.ceil(slots / 2));
  return createSharedLimit({ slots, each, waitMs: SLOT_WAIT_MS });
}

/** The caller's `x-request-id` where it is valid, so that a request can be followed across services; else a new one. */
function requestId({ headers }: Pick<IncomingMessage, "headers">): string {
  const given = headers["x-request-id"];
  return typeof given === "string" && /^[\w.:-]{1,128}$/.test(given) ? given : randomUUID();
}

function logRequests(app: FastifyInstance, logger: Logger): void {
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id).header("x-content-type-options", "nosniff");
  });
  app.addHook("onResponse", async (request, reply) => {
    const fields = {
      request: request.id,
      method: request.method,
      path: clip(request.url.split("?", 1)[0] ?? ""),
      status: reply.statusCode,
      ...(request.principal && { by: principalName(request.principal) }),
      ms: Math.round(reply.elapsedTime),
      ...(reply.raw.writableFinished ? {} : { aborted: true }),
    };
    if (isOpen(request) || isForMetrics(request)) logger.debug(fields, "request");
    else logger.info(fields, "request");
  });
}

type Served = Pick<HttpOptions, "resources" | "openApi" | "metrics">;

/** A problem 405 where the path exists without this method, else 404. */
function missing(request: FastifyRequest, served: Served): Problem {
  const path = request.url.split("?", 1)[0]?.replace(/(.)\/$/, "$1") ?? "";
  const allowed = allowedMethods(path, served);
  if (allowed === undefined) return new Problem("not-found", `There is nothing at ${path}.`);
  return new Problem("method", `${request.method} is not one of ${allowed.join(", ")}.`, {
    headers: { allow: allowed.join(", ") },
  });
}

function allowedMethods(
  path: string,
  { resources, openApi, metrics }: Served,
): readonly string[] | undefined {
  if (OPEN_PATHS.has(path)) return ["GET", "HEAD"];
  if (openApi !== undefined && path === OPENAPI_PATH) return ["GET", "HEAD"];
  if (metrics !== undefined && path === METRICS_PATH) return ["GET", "HEAD"];
  if (path === "/operate/resync") return ["POST"];
  for (const resource of resources) {
    const methods = resourceMethods(resource);
    if (path === resource.path) return methods.collection;
    const below = path.startsWith(`${resource.path}/`) ? path.slice(resource.path.length + 1) : "";
    if (below !== "" && !below.includes("/")) return methods.item;
  }
  return undefined;
}
