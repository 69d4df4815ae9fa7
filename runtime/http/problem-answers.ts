import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyReply, FastifyRequest } from "fastify";
import { PROBLEM_TYPE, Problem, problemDocument } from "./problem.js";

export function sendProblem(problem: Problem, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const document = problemDocument(problem, request.url.split("?", 1)[0]);
  return reply
    .code(problem.status)
    .headers(problem.headers)
    .type(PROBLEM_TYPE)
    .send(JSON.stringify(document));
}

/** Time in which the client can read the answer and close its side. */
const LINGER_MS = 1_000;

/** Answers a request that is not HTTP, or that did not arrive in time, and closes its connection. No route ever sees it. */
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
