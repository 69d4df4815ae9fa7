import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyReply, FastifyRequest } from "fastify";
import { isUnavailable } from "../repository/failure.js";
import { PROBLEM_TYPE, Problem, problemDocument, unavailable } from "./problem.js";

/** Every error that a request can end with, as a problem. What is not foreseen is a 500 that keeps its reason to the log. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (isUnavailable(error)) return unavailable("The database is out of reach; try again.", 2, error);
  const { code, statusCode, message } = describe(error);
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE")
    return new Problem("large", "The body is too large.", { cause: error });
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") {
    return new Problem("media", "Send application/json.", {
      headers: { accept: "application/json" },
      cause: error,
    });
  }
  if (statusCode >= 400 && statusCode < 500) return new Problem("malformed", message, { cause: error });
  return new Problem("internal", "The reason is in the service's log, under this request's id.", {
    cause: error,
  });
}

function describe(error: unknown): {
  readonly code: string;
  readonly statusCode: number;
  readonly message: string;
} {
  if (!(error instanceof Error)) return { code: "", statusCode: 500, message: String(error) };
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const statusCode = "statusCode" in error && typeof error.statusCode === "number" ? error.statusCode : 500;
  return { code, statusCode, message: error.message };
}

export function sendProblem(problem: Problem, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const document = problemDocument(problem, request.url.split("?", 1)[0]);
  return reply
    .code(problem.status)
    .headers(problem.headers)
    .type(PROBLEM_TYPE)
    .send(JSON.stringify(document));
}

/** For the client to read the answer, and to close its side. */
const LINGER_MS = 1_000;

/** A request that is not HTTP, or not in time, never gets as far as a route. Nobody keeps the connection after that. */
export function answerUnparsed(
  error: Error & { readonly code?: string },
  socket: Socket,
  isAnswering: boolean,
): void {
  if (error.code === "ECONNRESET" || !socket.writable || isAnswering) {
    socket.destroy();
    return;
  }
  const problem = unparsedProblem(error.code);
  const body = JSON.stringify(problemDocument(problem));
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n` +
      `Content-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  const linger = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(linger));
}

function unparsedProblem(code: string | undefined): Problem {
  if (code === "HPE_HEADER_OVERFLOW") return new Problem("headers", "Send fewer or shorter headers.");
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return new Problem("slow", "The request did not arrive in time.");
  return new Problem("malformed", "This is not an HTTP/1.1 request.");
}
