import { readFile } from "node:fs/promises";
import type { FastifyInstance } from "fastify";
import { Problem } from "./problem.js";

export const OPENAPI_PATH = "/openapi.json";

/** The service's OpenAPI document, to whoever has any key that it knows: it names tables and columns. */
export function serveOpenApi(app: FastifyInstance, document: URL): void {
  let text: Promise<string> | undefined;
  app.get(OPENAPI_PATH, { config: { access: "any key" } }, async (_request, reply) => {
    text ??= readFile(document, "utf8");
    return reply.type("application/json; charset=utf-8").send(await text.catch(missing));
  });
}

function missing(cause: unknown): never {
  throw new Problem(
    "not-found",
    "openapi.json does not stand beside the service's code, where the generator wrote it.",
    {
      cause,
    },
  );
}
