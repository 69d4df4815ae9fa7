import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { type ConnectionOptions, connect, type NatsConnection } from "nats";

/*
 * The client forgets the socket of a dial that was not greeted in time: one stays open for each try, and keeps the process from ending.
 */

const dialing = new AsyncLocalStorage<Set<Socket>>();
/** Dials under way. While the storage is enabled, Node calls a hook for each promise of the process: that is as long as one lasts. */
let dials = 0;
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
  dials += 1;
  try {
    return await dialing.run(sockets, () => connect(options));
  } catch (error) {
    end();
    throw error;
  } finally {
    signal.removeEventListener("abort", end);
    dials -= 1;
    if (dials === 0) dialing.disable();
  }
}
