import type { IncomingMessage } from "node:http";
import type { FastifyInstance } from "fastify";

/**
 * `Expect: 100-continue`: a body is invited once its sender was let in; Node alone invites everybody's. Whoever is
 * refused without having been invited sends none, so the connection ends there: the next bytes could be either.
 */
export function inviteBodies(app: FastifyInstance): void {
  const waiting = new WeakSet<IncomingMessage>();
  app.server.on("checkContinue", (request, answer) => {
    waiting.add(request);
    app.server.emit("request", request, answer);
  });
  app.addHook("preParsing", async ({ raw }, reply) => {
    if (waiting.delete(raw)) reply.raw.writeContinue();
  });
  app.addHook("onSend", async ({ raw }, reply) => {
    if (waiting.has(raw)) reply.header("connection", "close");
  });
}
