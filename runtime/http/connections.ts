import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Logger } from "../definition.js";

export interface ConnectionLimits {
  /** Connections at once; the next one is closed. */
  readonly connections: number;
  /** Those of them on which no known key was shown yet; the oldest makes way for the next one. */
  readonly strangers: number;
}

export interface Connections {
  /** A known key was shown on it: strangers cannot displace it. */
  trust(socket: Socket): void;
  /** Whether an answer is on its way: nothing else may be written. */
  isAnswering(socket: Socket): boolean;
}

const WARN_EVERY_MS = 60_000;

/** Bounds what connections take. However many strangers hold theirs open, probes and callers get in. */
export function limitConnections(server: Server, limits: ConnectionLimits, logger: Logger): Connections {
  // In the order in which they came.
  const strangers = new Set<Socket>();
  const answers = new WeakMap<Socket, Set<ServerResponse>>();
  let warnAt = 0;
  const warn = () => {
    if (Date.now() < warnAt) return;
    warnAt = Date.now() + WARN_EVERY_MS;
    logger.warn({ ...limits }, "too many connections: some are closed");
  };
  server.maxConnections = limits.connections;
  server.on("drop", warn);
  server.on("connection", (socket) => {
    strangers.add(socket);
    socket.once("close", () => strangers.delete(socket));
    if (strangers.size <= limits.strangers) return;
    warn();
    const [oldest] = strangers;
    oldest?.destroy();
  });
  server.on("request", ({ socket }, answer) => {
    const open = answers.get(socket) ?? new Set();
    answers.set(socket, open.add(answer));
    answer.once("close", () => open.delete(answer));
  });
  return {
    trust: (socket) => strangers.delete(socket),
    isAnswering: (socket) => [...(answers.get(socket) ?? [])].some(({ headersSent }) => headersSent),
  };
}
