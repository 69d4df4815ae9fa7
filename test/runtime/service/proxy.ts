import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";

/** Stands before a server, which it can make unreachable and reachable again. */
export interface Proxy {
  /** The same URL, through the proxy. */
  readonly url: string;
  /** Breaks every connection and refuses new ones. */
  down(): Promise<void>;
  up(): Promise<void>;
}

export async function startProxy(target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let server: Server | undefined;
  let listening = 0;
  const up = async () => {
    server = createServer((inside) => {
      const outside = connect(Number(port), hostname);
      for (const [from, to] of [
        [inside, outside],
        [outside, inside],
      ] as const) {
        sockets.add(from);
        from.on("error", () => to.destroy());
        from.on("close", () => {
          sockets.delete(from);
          to.destroy();
        });
        from.pipe(to);
      }
    });
    await new Promise<void>((resolve) => server?.listen(listening, "127.0.0.1", resolve));
    listening = (server.address() as AddressInfo).port;
  };
  await up();
  const url = new URL(target);
  url.host = `127.0.0.1:${listening}`;
  return {
    url: url.href,
    up,
    down: async () => {
      const closed = new Promise((resolve) => server?.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
