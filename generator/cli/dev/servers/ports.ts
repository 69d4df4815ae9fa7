import { connect, createServer } from "node:net";

/** A port that was free a moment ago: whoever binds it must be ready to lose the race and ask again. */
export function freePort(): Promise<number> {
  return bindPort(0).then(
    (port) => port ?? Promise.reject(new Error("this machine has no free port on 127.0.0.1")),
  );
}

/** The wanted port when nobody has it, else a free one: a second mesh on one machine must not be refused. */
export async function preferPort(wanted: number): Promise<number> {
  return (await bindPort(wanted)) ?? freePort();
}

function bindPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen({ port, host: "127.0.0.1" }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address ? address.port : undefined));
    });
  });
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
