import { once, setMaxListeners } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/*
 * A proxy before a server that makes the network bad in known ways. What it does not do is lose or
 * change bytes of a connection that lives on: TCP would not either.
 */

/** `up`: towards the server. */
export type Direction = "up" | "down";

export interface Weather {
  /** Every chunk waits this long, in both directions. */
  readonly delayMs?: number;
  readonly bytesPerSecond?: number;
  /** Drops nothing but passes nothing on in this direction, and closes nothing: a network that fails one way. */
  readonly silent?: Direction;
  /** New connections are reset. Those that are open stay. */
  readonly refuse?: true;
}

export interface TcpProxy {
  readonly port: number;
  /** Sets the faults until the next call; `{}` ends all and passes on what was held back. */
  setWeather(weather: Weather): void;
  /** Resets every connection that is open. Returns how many. */
  cut(): number;
  /** Ends every connection and listens no more: whoever connects is refused, as by a server that is down. */
  close(): Promise<void>;
  /** After `close`: listens again, on the same port. */
  reopen(): Promise<void>;
}

export interface Target {
  readonly host: string;
  readonly port: number;
}

export async function startTcpProxy(target: Target): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let weather: Weather = {};
  let changed = newChange();
  const climate: Climate = { now: () => weather, changed: () => changed.signal };
  const server = createServer({ allowHalfOpen: true }, (inside) => {
    if (weather.refuse) return void inside.resetAndDestroy();
    const outside = connect({ ...target, allowHalfOpen: true });
    for (const [from, to, direction] of [
      [inside, outside, "up"],
      [outside, inside, "down"],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on("error", () => reset(to));
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
      void pump(from, to, direction, climate).catch(() => reset(to));
    }
  });
  await listen(server, 0);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    setWeather(next) {
      weather = next;
      changed.abort();
      changed = newChange();
    },
    cut() {
      const open = sockets.size / 2;
      for (const socket of sockets) reset(socket);
      return open;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
    reopen: () => listen(server, port),
  };
}

/** Wakes connections that wait for a change of the faults. */
function newChange(): AbortController {
  const change = new AbortController();
  setMaxListeners(0, change.signal);
  return change;
}

interface Climate {
  readonly now: () => Weather;
  readonly changed: () => AbortSignal;
}

async function listen(server: Server, port: number): Promise<void> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
}

/** Reads the next chunk only after the last one was sent: the sender feels back-pressure, and memory stays bounded. */
async function pump(from: Socket, to: Socket, direction: Direction, climate: Climate): Promise<void> {
  // The plain loop would destroy the socket at the end of its input, and with it the other direction.
  for await (const chunk of from.iterator({ destroyOnReturn: false })) {
    await passWeather(climate, direction, (chunk as Buffer).length);
    if (to.destroyed) return;
    if (!to.write(chunk as Buffer)) await once(to, "drain");
  }
  // Half of a connection ended: the other direction may go on.
  await passWeather(climate, direction, 0);
  to.end();
}

async function passWeather(climate: Climate, direction: Direction, bytes: number): Promise<void> {
  const { delayMs = 0, bytesPerSecond = Number.POSITIVE_INFINITY } = climate.now();
  const waitMs = delayMs + (bytes / bytesPerSecond) * 1_000;
  if (waitMs > 0) await pauseUnless(climate.changed(), waitMs);
  while (climate.now().silent === direction) await pauseUnless(climate.changed(), 60_000);
}

function pauseUnless(signal: AbortSignal, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}

function reset(socket: Socket): void {
  if (!socket.destroyed) socket.resetAndDestroy();
}
