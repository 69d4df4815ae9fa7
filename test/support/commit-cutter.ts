import { type AddressInfo, connect, createServer } from "node:net";

/** A proxy before PostgreSQL that cuts a connection before or after a given statement. */
export interface CommitCutter {
  readonly url: string;
  /** Cuts the connection of the next statement that contains the text: before the server gets it, or after it ran. */
  arm(text: string, moment: "before" | "after"): void;
  /** True once a connection was cut. */
  cut(): boolean;
  close(): Promise<void>;
}

export async function startCommitCutter(target: string): Promise<CommitCutter> {
  const { hostname, port } = new URL(target);
  let armed: { readonly text: string; readonly moment: "before" | "after" } | undefined;
  let cuts = 0;
  const server = createServer((inside) => {
    const outside = connect(Number(port), hostname);
    let deaf = false;
    const end = () => {
      inside.destroy();
      outside.destroy();
    };
    for (const socket of [inside, outside]) socket.on("error", end).on("close", end);
    inside.on("data", (chunk) => {
      if (armed !== undefined && chunk.includes(armed.text)) {
        const { moment } = armed;
        armed = undefined;
        if (moment === "before") {
          cuts += 1;
          return end();
        }
        deaf = true;
      }
      outside.write(chunk);
    });
    outside.on("data", (chunk) => {
      if (!deaf) return inside.write(chunk);
      // The answer has arrived here, so the statement ran; the client never gets the answer.
      cuts += 1;
      end();
      return false;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = new URL(target);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    arm(text, moment) {
      armed = { text, moment };
    },
    cut: () => cuts > 0,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
