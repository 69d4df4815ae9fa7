import type { Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Logger } from "../definition/hook-definition.js";

export interface ConnectionLimits {
  /** Most connections at once; a further one is closed. */
  readonly connections: number;
  /** Most connections at once on which no known key was sent yet; a further one closes the oldest. */
  readonly strangers: number;
}

export interface Connections {
  /** A known key was sent on the connection: it counts as a stranger's no longer. */
  trust(socket: Socket): void;
  /** Whether an answer is being sent on the connection: nothing else may be written. */
  isAnswering(socket: Socket): boolean;
}

const WARN_EVERY_MS = 60_000;

/** Limits connections. However many strangers keep theirs open, probes and callers can connect. */
export function limitConnections(server: Server, limits: ConnectionLimits, logger: Logger): Connections {
  // The oldest first.
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
