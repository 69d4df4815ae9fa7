import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { FastifyInstance } from "fastify";
import { callerOf } from "./authenticate.js";
import type { SharedConcurrencyLimit } from "./concurrency-limit.js";
import { unavailable } from "./problem.js";

/** Bodies up to this size are always read at once; larger ones, and those of unknown size, count towards the limit. */
const SMALL_BYTES = 64 * 1024;

/**
 * Reads a large body only once its sender is authenticated and the limit admits it. `Expect: 100-continue` is answered then; Node
 * by itself would invite every body. After a refusal without that invitation the connection is closed: the next bytes could be a
 * body or a request.
 */
export function admitBodies(app: FastifyInstance, slots: SharedConcurrencyLimit): void {
  const waiting = new WeakSet<IncomingMessage>();
  app.server.on("checkContinue", (request, answer) => {
    waiting.add(request);
    app.server.emit("request", request, answer);
  });
  app.addHook("preParsing", async (request, reply) => {
    if (isLarge(request.headers)) {
      const release = await slots.acquire(callerOf(request.principal));
      if (release === undefined) throw unavailable("Too many large bodies are being read; try again.", 2);
      if (reply.raw.closed) release();
      else reply.raw.once("close", release);
    }
    if (waiting.delete(request.raw)) reply.raw.writeContinue();
  });
  app.addHook("onSend", async ({ raw }, reply) => {
    if (waiting.has(raw)) reply.header("connection", "close");
  });
}

function isLarge(headers: IncomingHttpHeaders): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > SMALL_BYTES;
}
