import { connect, createServer } from "node:net";

/** A port that was free a moment ago: whoever binds it must be ready to lose the race and ask again. */
export async function freePort(): Promise<number> {
  return await released(await holdFreePort());
}

/** The wanted port when nobody has it, else a free one: a second mesh on one machine must not be refused. */
export async function preferPort(wanted: number): Promise<number> {
  return await released((await holdPort(wanted)) ?? (await holdFreePort()));
}

/** A port that nobody else gets before it is released. Who connects to it meanwhile is turned away. */
export interface HeldPort {
  readonly port: number;
  release(): Promise<void>;
}

/** Below those from which systems take the ports of outgoing connections: one of these would be taken before it is bound. */
const FIRST_PORT = 10_000;
const LAST_PORT = 32_000;
const TRIES = 100;

export async function holdFreePort(): Promise<HeldPort> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const held = await holdPort(FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT)));
    if (held !== undefined) return held;
  }
  throw new Error(`this machine has no free port on 127.0.0.1 between ${FIRST_PORT} and ${LAST_PORT}`);
}

/** Undefined when somebody has it. */
export function holdPort(port: number): Promise<HeldPort | undefined> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", () => resolve(undefined));
    server.listen({ port, host: "127.0.0.1" }, () => {
      const address = server.address();
      const release = () => new Promise<void>((done) => server.close(() => done()));
      if (typeof address === "object" && address) resolve({ port: address.port, release });
    });
  });
}

async function released({ port, release }: HeldPort): Promise<number> {
  await release();
  return port;
}

/** Whether somebody accepts connections there. */
export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: "127.0.0.1" });
    const settle = (value: boolean) => {
      socket.destroy();
      resolve(value);
    };
    socket.setTimeout(1_000, () => settle(false));
    socket.once("connect", () => settle(true));
    socket.once("error", () => settle(false));
  });
}
