import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { type ConnectionOptions, connect, type NatsConnection } from "nats";

/*
 * The client forgets the socket of a dial that was not greeted in time: one stays open for each try, and keeps the process from ending.
 */

const dialing = new AsyncLocalStorage<Set<Socket>>();
subscribe("net.client.socket", (message) => {
  dialing.getStore()?.add((message as { readonly socket: Socket }).socket);
});

/** Connects once; where that fails, or is aborted before, nothing of it stays open. */
export async function dial(options: ConnectionOptions, signal: AbortSignal): Promise<NatsConnection> {
  const sockets = new Set<Socket>();
  const end = () => {
    for (const socket of sockets) socket.destroy();
  };
  signal.addEventListener("abort", end, { once: true });
  try {
    return await dialing.run(sockets, () => connect(options));
  } catch (error) {
    end();
    throw error;
  } finally {
    signal.removeEventListener("abort", end);
  }
}
